// One channel that a consumer asked this provider for: starts the service, accepts, drives, and
// takes it up again when its path was lost.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "culvert/provider.h"
#include "net/timer.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "sdk/channel_driver.h"
#include "sdk/client_core.h"
#include "sdk/data_parking.h"
#include "sdk/pending_accept.h"
#include "sdk/pending_stitch.h"
#include "sdk/securing.h"
#include "sdk/suspended_channels.h"
#include "tunnel/tombstones.h"

namespace culvert {

// Confined to the loop; owned by the ProviderChannels, which remove it in a later turn.
class ProviderChannel final : private ChannelDriver::Owner, private EndpointListener {
 public:
  class Owner {
   public:
    // It is accepted, refused or cut: its service is not being started any more. Once.
    virtual void OnChannelStarted() = 0;
    // The service did not start, or the channel is not resumed: the consumer is to hear it over
    // Listen. `last_id` is that of a channel that has ended.
    virtual void OnChannelRefused(ProviderChannel& channel, const absl::Status& why,
                                  uint64_t last_id) = 0;
    virtual void OnChannelReport(const ServiceRequest& request, const ChannelReport& report) = 0;
    // It has no path and waits for the consumer to bring another one. May give it up.
    virtual void OnChannelSuspended(ProviderChannel& channel) = 0;
    // The path over that parked connection is of no use any more, for this end at least.
    virtual void OnStitchedPathLost(ProviderChannel& channel, uint64_t parked_id) = 0;
    virtual void OnChannelResumed(ProviderChannel& channel) = 0;
    virtual void OnChannelDone(ProviderChannel& channel) = 0;

   protected:
    ~Owner() = default;
  };

  // Where the broker is that a channel is offered or taken up by, and the session that it names.
  struct Link {
    rpc::Connection& connection;
    size_t broker;  // its index in the list
    uint64_t session_id;
    DataParking& parking;
  };
  // A legacy consumer does not say how long it tries; the broker forgets it after this time.
  static constexpr Duration kLegacyResumeTime = std::chrono::seconds(60);

  // `connection`: the parked one that the offer names, if it names one.
  ProviderChannel(ClientCore& core, const Link& link,
                  const ntt::proxies::v1::ListenResponse::OpenChannelResponse& offer,
                  std::unique_ptr<net::TcpStream> connection, Owner& owner);
  ~ProviderChannel();

  // `factory` null: no such service. It outlives the channel. kPlain: the service may be served
  // without end-to-end encryption too.
  enum class Plain { kNo, kYes };
  void Start(const ServiceFactory* factory, Plain plain);
  // Instead of Start, or while it has not answered: the consumer is told.
  void Refuse(const absl::Status& why);
  // The broker has ended the channel for good, open or not: nobody needs to be told.
  void Cut(const absl::Status& why);
  // Ends the channel here, and tells the consumer.
  void Abort(const absl::Status& why);
  // The consumer has another path for a channel that is_accepted(). Refused, or taken up.
  void Resume(const ntt::proxies::v1::ListenResponse::ResumeChannelResponse& resume,
              const Link& link, std::unique_ptr<net::TcpStream> connection);
  // The path is of no use any more.
  void Suspend(const absl::Status& why);
  // The same for a stitched path, unless the other end answers on it.
  void LeaveUnanswered(const absl::Status& why) {
    if (driver_ != nullptr && is_stitched() && !joining_) driver_->SuspendUnlessAnswered(why);
  }
  // While it is suspended: the broker, and the consumer by it, may not know that, as what ends a
  // connection gets lost where the network is away.
  void TellStitchLost() {
    if (is_stitched()) owner_.OnStitchedPathLost(*this, parked_id_);
  }
  // It cannot be taken up again.
  void GiveUp(const absl::Status& why);
  // The session is over: what is not accepted yet can be accepted no more.
  void CutIfStarting(const absl::Status& why);
  // What it was to run over, of one that was refused before it was accepted.
  std::unique_ptr<net::TcpStream> TakeConnection() { return std::move(first_connection_); }
  uint64_t id() const { return request_.channel_id; }
  // None unless it is open.
  std::optional<ChannelStatus> Status() const;
  size_t broker() const { return broker_; }
  uint64_t session_id() const { return session_id_; }
  const std::string& consumer_key() const { return request_.user_key; }
  bool is_accepted() const { return driver_ != nullptr; }
  // Whether its bytes may pass the data port as they are on its paths.
  bool MayBeStitched() const;
  // What remains to be said of it once it is done; none if it was never accepted.
  std::optional<tunnel::Tombstones::Tombstone> tombstone() const;

 private:
  enum class State {
    kStarting,
    kSecuring,  // accepted; the service is started once the consumer has shown who it is
    kAccepted,  // the driver has it
    kRefused,   // or cut
  };

  culvert::v1::EndToEnd end_to_end() const;
  absl::Status MayBePlain(bool asked_encrypted, Plain plain) const;
  void Secure();
  void HandleHello(const absl::Status& status);
  void StartService();
  void HandleStarted(absl::Status status);
  void OpenSecured(const absl::Status& status);
  void SendAccept();
  PendingStitch::Meeting MeetingOf(uint32_t attempt) const;
  void JoinFirst();
  void JoinAgain(uint32_t attempt, uint64_t parked_id, std::unique_ptr<net::TcpStream> connection);
  bool is_stitched() const { return parked_id_ != 0; }
  void PostStarted(const absl::Status& status);
  void Accept();
  void LeaveStarting(State to);
  // Whether that path is there, on its way, or older than one that is.
  bool HasAnswered(uint32_t attempt) const;
  bool RefusesResume(const ntt::proxies::v1::ListenResponse::ResumeChannelResponse& resume);
  void NoteSuspended(const absl::Status& why);
  void SendResumeAccept(const ntt::proxies::v1::ListenResponse::ResumeChannelResponse& resume,
                        rpc::Connection& connection);
  void HandleJoined(absl::StatusOr<std::unique_ptr<rpc::Stream>> stream,
                    const ntt::proxies::v1::ListenResponse::ResumeChannelResponse& resume);
  void HandleNotJoined(uint32_t attempt, const absl::Status& why);
  void GoOn(uint32_t attempt, std::unique_ptr<tunnel::Path> path, uint64_t last_id,
            uint64_t window);
  std::unique_ptr<tunnel::Path> PathOver(std::unique_ptr<rpc::Stream> stream);
  void OnEndpointStop(absl::Status why) override;
  void OnChannelEnded(ChannelDriver& driver) override;
  void OnDriverDone(ChannelDriver& driver) override;
  void OnPathLost(ChannelDriver& driver, const absl::Status& why) override;
  void OnPathDoubtful(ChannelDriver&) override { core_.connectivity().Suspect(broker_); }

  ClientCore& core_;
  rpc::Connection& connection_;  // of the offer
  size_t broker_;
  const uint64_t session_id_;
  const ntt::proxies::v1::ListenResponse::OpenChannelResponse offer_;
  const ServiceRequest request_;
  tunnel::Channel::Options options_;
  Owner& owner_;
  const MonotonicTime started_;
  State state_ = State::kStarting;
  std::unique_ptr<Service> service_;  // until it has started
  std::optional<EndpointAttachment> attachment_;
  std::optional<absl::Status> stopped_;  // by the service, before it was accepted
  const ServiceFactory* factory_ = nullptr;
  std::optional<ProviderSecuring> securing_;  // outlives the driver
  std::unique_ptr<ChannelDriver> driver_;
  const Duration resume_time_;  // without a path; zero: never
  net::Timer resume_timer_;     // set while it is suspended
  std::optional<SuspendedChannels::Place> place_;
  std::unique_ptr<net::TcpStream> first_connection_;  // until the channel is accepted
  std::optional<PendingAccept> accept_;
  std::optional<PendingStitch> joining_;
  uint64_t parked_id_ = 0;       // of the last path's connection, where it was stitched
  uint32_t accept_attempt_ = 0;  // the newest path that the consumer spoke of
  // The service's answer may come after our end, or inside our call.
  std::shared_ptr<ProviderChannel*> alive_;
};

}  // namespace culvert
