#include "sdk/broker_caller.h"

#include <future>
#include <utility>

#include "base/status.h"
#include "sdk/broker_names.h"
#include "sdk/opening.h"
#include "sdk/unary_call.h"

namespace culvert {

BrokerCaller::~BrokerCaller() {
  thread_.Run([this] { connection_.reset(); });
}

// Waits for name servers no longer than a program that starts.
absl::Status BrokerCaller::Resolve() {
  if (!addresses_.empty()) return absl::OkStatus();
  CULVERT_ASSIGN_OR_RETURN(const std::vector<BrokerName> names, ParseBrokers(options_.brokers));
  auto known = std::make_shared<std::promise<absl::Status>>();
  std::unique_ptr<BrokerNames> resolved;
  thread_.Run([&] {
    resolved = std::make_unique<BrokerNames>(thread_.loop(), names,
                                             BrokerNames::AskDns(thread_.loop()), [] {});
    resolved->AwaitFirst([known, &resolved] { known->set_value(resolved->offered()); });
  });
  absl::Status offered = known->get_future().get();
  thread_.Run([&] {
    if (offered.ok()) addresses_ = resolved->addresses();
    resolved.reset();
  });
  return offered;
}

void BrokerCaller::ConnectTo(const std::string& address) {
  if (connection_ != nullptr && connection_->address() == address) return;
  connection_ = std::make_unique<rpc::Connection>(thread_.loop(), address, options_.credentials,
                                                  options_.max_answer_bytes);
}

absl::StatusOr<BrokerAnswer> BrokerCaller::AskAt(const std::string& address, rpc::Method method,
                                                 const rpc::Frame& request) {
  std::promise<absl::StatusOr<Bytes>> answered;
  std::unique_ptr<UnaryCall> call;
  thread_.Run([&] {
    ConnectTo(address);
    call = std::make_unique<UnaryCall>(
        thread_.loop(), *connection_, method, request, options_.limit,
        [&](absl::StatusOr<Bytes> answer) { answered.set_value(std::move(answer)); });
  });
  absl::StatusOr<Bytes> answer = answered.get_future().get();
  std::string from;
  thread_.Run([&] {
    from = call->peer_address();
    call.reset();
  });
  if (!answer.ok()) return ExplainStreamEnd(answer.status(), address);
  return BrokerAnswer{*std::move(answer), std::move(from)};
}

absl::StatusOr<BrokerAnswer> BrokerCaller::Ask(rpc::Method method, const rpc::Frame& request) {
  CULVERT_RETURN_IF_ERROR(Resolve());
  absl::Status failure = absl::InvalidArgumentError("no broker given");
  for (size_t tries = 0; tries < addresses_.size(); ++tries) {
    absl::StatusOr<BrokerAnswer> answer = AskAt(addresses_[next_], method, request);
    if (answer.ok()) return answer;
    failure = answer.status();
    if (!absl::IsUnavailable(failure)) break;
    next_ = (next_ + 1) % addresses_.size();
  }
  return failure;
}

absl::Status BrokerCaller::Connect(size_t skip) {
  CULVERT_RETURN_IF_ERROR(Resolve());
  next_ = (next_ + skip) % addresses_.size();
  thread_.Run([this] { ConnectTo(addresses_[next_]); });
  return absl::OkStatus();
}

void BrokerCaller::RunOnLoop(absl::FunctionRef<void(rpc::Connection&)> task) {
  thread_.Run([this, task] { task(*connection_); });
}

}  // namespace culvert
