#include "sdk/broker_query.h"

#include <future>
#include <memory>
#include <utility>

#include "net/loop_thread.h"
#include "sdk/opening.h"
#include "sdk/unary_call.h"

namespace culvert {
namespace {

absl::StatusOr<Bytes> Ask(net::LoopThread& thread, const std::string& address,
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
  thread.Run([&] {
    call.reset();
    connection.reset();
  });
  if (!answer.ok()) return ExplainStreamEnd(answer.status(), address);
  return answer;
}

}  // namespace

absl::StatusOr<Bytes> AskBroker(const BrokerQuery& query) {
  net::LoopThread thread;
  absl::StatusOr<Bytes> answer = absl::InvalidArgumentError("no broker given");
  for (const std::string& broker : query.brokers) {
    answer = Ask(thread, broker, query);
    if (!absl::IsUnavailable(answer.status())) break;
  }
  return answer;
}

}  // namespace culvert
