// An Accept stream that takes a channel up again, until the broker has joined the two halves.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/timer.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/stream.h"

namespace culvert {

// Confined to the loop. Destroy = cancel.
class PendingAccept final : private rpc::Stream::Delegate {
 public:
  // The stream, which has carried nothing of the channel yet, or why there is none. Once, never
  // inside a call; may destroy this.
  using OnDone = absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<rpc::Stream>>) &&>;
  // How long the broker may take: it waits for nobody else.
  static constexpr Duration kLimit = std::chrono::seconds(10);

  PendingAccept(net::EventLoop& loop, std::unique_ptr<rpc::Stream> stream,
                const ntt::proxies::v1::AcceptRequest& request, OnDone on_done);

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override {}
  void OnEnd(absl::Status status) override;
  void Fail(absl::Status why);

  std::unique_ptr<rpc::Stream> stream_;
  net::Timer timer_;
  OnDone on_done_;
};

}  // namespace culvert
