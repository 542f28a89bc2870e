// One channel that this consumer opens: tries until it is open or refused, then drives it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/backoff.h"
#include "culvert/consumer.h"
#include "net/timer.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/stream.h"
#include "sdk/channel_driver.h"
#include "sdk/client_core.h"
#include "sdk/consumer_resume.h"
#include "sdk/pending_stitch.h"
#include "sdk/securing.h"

namespace culvert {

// Confined to the loop; owned by the Consumer, which removes it in a later turn.
class ConsumerCall final : private rpc::Stream::Delegate,
                           private ChannelDriver::Owner,
                           private EndpointListener {
 public:
  class Owner {
   public:
    virtual void OnCallDone(ConsumerCall& call) = 0;

   protected:
    ~Owner() = default;
  };

  // An answer to the last try may come this long after open_timeout: the broker and the provider
  // have a time limit of their own, and say what went wrong.
  static constexpr Duration kAnswerTime = std::chrono::milliseconds(1500);
  // For the broker's word on why a connection was reset before both ends had met on it.
  static constexpr Duration kReasonTime = std::chrono::milliseconds(100);

  ConsumerCall(ClientCore& core, Consumer::Request request, std::unique_ptr<Outlet> outlet,
               Consumer::OnEnd on_end, Owner& owner);
  ~ConsumerCall();

  void Start();
  // Resets the channel, or gives up opening it.
  void Abort(const absl::Status& why);
  // If its turn to open has not come, it will not.
  void StopWaiting() {
    if (place_) place_->StopWaiting();
  }
  // 0 before the broker says that it is open.
  uint64_t channel_id() const {
    if (driver_ != nullptr) return driver_->channel().id();
    return joining_ || parted_ ? opened_.channel_id() : 0;
  }
  // The broker has ended the channel for good, or passes on that the provider does not want it.
  void Cut(const absl::Status& why);

  // A broker is about to stop: ConsumerResume::HandleDrain.
  void Drain(size_t broker, uint64_t connection, const culvert::v1::Notice::Drain& drain) {
    if (resume_) resume_->HandleDrain(broker, connection, drain);
  }
  void TakeFreshTicket(size_t broker, const std::string& ticket) {
    if (resume_) resume_->TakeFreshTicket(broker, ticket);
  }

  // None unless the channel is open.
  std::optional<ChannelStatus> Status() const;

 private:
  void TryOpen();
  // On a stitched path if there can be one, else without a connection.
  StitchedOpenings::Try StartTry();
  void Meet(std::unique_ptr<net::TcpStream> connection);
  void TryOverStream();
  void TryNow();
  void HandleDead(size_t broker, const std::string& why);
  void LeaveOpening();
  void Retry(const absl::Status& why, Duration retry_after);
  enum class Again { kNo, kYes };
  // The broker wants no other try before `retry_after`.
  void HandleFailedTry(const absl::Status& why, Again again, Duration retry_after = {});
  void HandleOpened(const ntt::proxies::v1::ConnectResponse::OpenResponse& response);
  void Join(const ntt::proxies::v1::ConnectResponse::OpenResponse& response);
  void HandleJoined(absl::StatusOr<PendingStitch::Joined> joined);
  void Begin(const ntt::proxies::v1::ConnectResponse::OpenResponse& response,
             std::unique_ptr<stitch::StitchPath> stitched);
  void BeginPlain(const tunnel::Channel::Options& options);
  void BeginSecuring(const tunnel::Channel::Options& options);
  void HandleSecured(absl::StatusOr<ConsumerSecuring::Secured> secured);
  culvert::v1::E2eHello Hello(uint64_t channel_id) const;
  void StopSecuring(const absl::Status& why);
  void EndUnopened(const absl::Status& why);
  // Between the broker's word that the channel is open and the agent's.
  bool is_securing() const { return driver_ != nullptr && !timer_.is_set(); }
  void HandleOpenError(const ntt::proxies::v1::ConnectResponse::ChannelOpenError& error);
  void HandleTimeUp();
  void FailOpening(const absl::Status& why);

  void OnMessage(Bytes message) override;
  void OnWritten() override {}
  void OnEnd(absl::Status status) override;
  void OnEndpointStop(absl::Status why) override;
  void OnChannelEnded(ChannelDriver& driver) override;
  void OnDriverDone(ChannelDriver& driver) override;
  void OnPathLost(ChannelDriver& driver, const absl::Status& why) override;
  void OnPathDoubtful(ChannelDriver& driver) override;

  ClientCore& core_;
  const Consumer::Request request_;
  std::unique_ptr<Outlet> outlet_;  // until the channel is open
  std::optional<EndpointAttachment> attachment_;
  std::optional<OpeningQueue::Place> place_;                // until the channel is open
  std::optional<Connectivity::Subscription> connectivity_;  // until the channel is open
  Consumer::OnEnd on_end_;
  Owner& owner_;
  net::Timer timer_;     // the next try
  net::Timer deadline_;  // of the opening as a whole
  Backoff backoff_;
  size_t attempt_;         // the broker
  size_t unknown_at_ = 0;  // brokers in a row that do not know the provider
  absl::Status last_failure_;
  bool last_try_ = false;  // open_timeout is over
  uint64_t own_window_ = 0;
  enum class Way { kBest, kStream };
  Way way_ = Way::kBest;                 // of the next try
  std::unique_ptr<rpc::Stream> stream_;  // while opening
  // A try for a stitched path: once the broker has answered, which names the channel, the provider
  // is to come to it.
  std::optional<PendingStitch> joining_;
  bool parted_ = false;                                     // until kReasonTime after it
  std::optional<EarlyHello> early_;                         // that went with it
  ntt::proxies::v1::ConnectResponse::OpenResponse opened_;  // the answer
  std::shared_ptr<const crypto::TlsContext> own_;           // as the broker knows us for `stream_`
  std::optional<ConsumerSecuring> securing_;                // outlives the driver
  std::unique_ptr<ChannelDriver> driver_;
  std::optional<ConsumerResume> resume_;             // with the driver
  std::optional<absl::Status> lost_while_securing_;  // try again once the driver is done
  const MonotonicTime started_;
};

}  // namespace culvert
