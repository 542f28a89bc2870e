// One unary call of a broker.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "net/timer.h"
#include "rpc/connection.h"
#include "rpc/stream.h"

namespace culvert {

// Confined to the loop; destroy = cancel.
class UnaryCall final : private rpc::Stream::Delegate {
 public:
  using OnAnswer = absl::AnyInvocable<void(absl::StatusOr<Bytes>) &&>;

  // `on_answer` runs once, never inside the constructor, and may destroy the call: the answer, the
  // broker's status, or DEADLINE_EXCEEDED after `limit`.
  UnaryCall(net::EventLoop& loop, rpc::Connection& connection, rpc::Method method,
            rpc::Frame request, Duration limit, OnAnswer on_answer);
  ~UnaryCall();

  // The IP address that the answer came from; empty before that.
  const std::string& peer_address() const { return peer_address_; }

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override {}
  void OnEnd(absl::Status status) override;
  void Finish(absl::StatusOr<Bytes> answer);

  std::unique_ptr<rpc::Stream> stream_;
  net::Timer timer_;
  std::string peer_address_;
  std::optional<Bytes> answer_;  // counts only if the status that follows is OK
  OnAnswer on_answer_;
};

}  // namespace culvert
