// The `tcp` service: dials what the consumer asked for, if the allow list lets it.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/target.h"
#include "config/allow_rule.h"
#include "culvert/error_code.h"
#include "culvert/provider.h"
#include "net/dialer.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "sdk/stream_endpoint.h"

namespace culvert::agent {

// Confined to the loop.
class TcpService final : public Service {
 public:
  // `allow` is the list as it is when the channel is opened; a reload does not reach channels that
  // are open.
  TcpService(net::EventLoop& loop, Target target, std::shared_ptr<const config::AllowList> allow,
             Duration dial_timeout);
  ~TcpService() override;

  // Checks, resolves, checks again, dials; `dial_timeout` bounds it all. kDenied, kUnreachable,
  // kRefused or kTimeout.
  void Start(TakenCallback started) override;
  void Send(Bytes bytes, TakenCallback taken) override;
  void SendEnd(TakenCallback taken) override;
  void Recv(ReceivedCallback received) override;
  void SetChunkSize(size_t bytes) override { stream_->SetChunkSize(bytes); }
  void Close(const absl::Status& why) override;

 private:
  void HandleTimeout();
  void HandleResolved(absl::StatusOr<std::vector<net::Address>> addresses);
  void HandleDialled(absl::StatusOr<std::unique_ptr<net::TcpStream>> stream);
  void Fail(ErrorCode code, const absl::Status& why);

  net::EventLoop& loop_;
  const Target target_;
  const std::shared_ptr<const config::AllowList> allow_;
  const Duration dial_timeout_;
  TakenCallback started_;
  MonotonicTime deadline_{};
  net::Timer timer_;                           // of the resolution; the dial has its own
  std::optional<net::Resolution> resolution_;  // only while it is under way, as the dial
  std::optional<net::Dial> dial_;
  std::optional<StreamEndpoint> stream_;
};

}  // namespace culvert::agent
