#include "sdk/broker_query.h"

#include <future>
#include <memory>
#include <utility>

#include "base/status.h"
#include "net/loop_thread.h"
#include "sdk/broker_names.h"
#include "sdk/opening.h"
#include "sdk/unary_call.h"

namespace culvert {
namespace {

absl::StatusOr<BrokerAnswer> Ask(net::LoopThread& thread, const std::string& address,
                                 const BrokerQuery& query) {
  std::promise<absl::StatusOr<Bytes>> answered;
  std::unique_ptr<rpc::Connection> connection;
  std::unique_ptr<UnaryCall> call;
  thread.Run([&] {
    connection = std::make_unique<rpc::Connection>(thread.loop(), address, query.credentials);
    call = std::make_unique<UnaryCall>(
        thread.loop(), *connection, query.method, query.request, query.limit,
        [&](absl::StatusOr<Bytes> answer) { answered.set_value(std::move(answer)); });
  });
  absl::StatusOr<Bytes> answer = answered.get_future().get();
  std::string from;
  thread.Run([&] {
    from = call->peer_address();
    call.reset();
    connection.reset();
  });
  if (!answer.ok()) return ExplainStreamEnd(answer.status(), address);
  return BrokerAnswer{*std::move(answer), std::move(from)};
}

// Waits for name servers no longer than a program that starts.
absl::StatusOr<std::vector<std::string>> Resolve(net::LoopThread& thread,
                                                 const std::vector<std::string>& brokers) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<BrokerName> names, ParseBrokers(brokers));
  auto known = std::make_shared<std::promise<absl::Status>>();
  std::unique_ptr<BrokerNames> resolved;
  thread.Run([&] {
    resolved = std::make_unique<BrokerNames>(thread.loop(), names,
                                             BrokerNames::AskDns(thread.loop()), [] {});
    resolved->AwaitFirst([known, &resolved] { known->set_value(resolved->offered()); });
  });
  const absl::Status offered = known->get_future().get();
  std::vector<std::string> addresses;
  thread.Run([&] {
    addresses = resolved->addresses();
    resolved.reset();
  });
  if (!offered.ok()) return offered;
  return addresses;
}

}  // namespace

absl::StatusOr<BrokerAnswer> AskOneBroker(const BrokerQuery& query) {
  net::LoopThread thread;
  CULVERT_ASSIGN_OR_RETURN(const std::vector<std::string> brokers, Resolve(thread, query.brokers));
  absl::Status failure = absl::InvalidArgumentError("no broker given");
  for (const std::string& broker : brokers) {
    absl::StatusOr<BrokerAnswer> answer = Ask(thread, broker, query);
    if (answer.ok()) return answer;
    failure = answer.status();
    if (!absl::IsUnavailable(failure)) break;
  }
  return failure;
}

absl::StatusOr<Bytes> AskBroker(const BrokerQuery& query) {
  CULVERT_ASSIGN_OR_RETURN(BrokerAnswer answer, AskOneBroker(query));
  return std::move(answer.message);
}

}  // namespace culvert
