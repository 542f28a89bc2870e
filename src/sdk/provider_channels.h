// The channels of a provider, over all its registrations: what is offered, taken up again, cut.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "culvert/provider.h"
#include "net/deferred.h"
#include "net/timer.h"
#include "sdk/client_core.h"
#include "sdk/provider_channel.h"
#include "sdk/waiting_channels.h"
#include "tunnel/tombstones.h"

namespace culvert {

// Confined to the loop. `options` and `owner` outlive it.
class ProviderChannels final : private ProviderChannel::Owner {
 public:
  class Owner {
   public:
    // The broker is to hear, on Listen, that a channel is not opened or not resumed. `last_id` for
    // one that has ended. May call CutStarting.
    virtual void SendRefusal(uint64_t channel_id, const absl::Status& why, uint64_t last_id) = 0;
    // The parked connection that the broker has joined for the channel is not there, or not any
    // more.
    virtual void SendStitchFailed(uint64_t channel_id, uint64_t parked_id) = 0;
    // empty(), suspended() or starting() may be another. In a turn of its own.
    virtual void OnChannelsChanged() = 0;

   protected:
    ~Owner() = default;
  };

  // Services being started at a time. More are refused with kBusy, which consumers try again.
  static constexpr size_t kMaxStarting = 1'024;
  // Channels of one consumer's key that wait for a path; of more the oldest is reset. Each holds a
  // connection of the service's and what was not acknowledged. As many as a broker's tombstones.
  static constexpr size_t kMaxSuspended = 4'096;

  // The parked connections of refused channels stay open for this long, if there are no more than
  // kMostParting: closed at once, with the consumer's first words in it, one is reset, and that may
  // reach the consumer before the reason.
  static constexpr Duration kPartingTime = std::chrono::milliseconds(200);
  static constexpr size_t kMostParting = 64;

  ProviderChannels(ClientCore& core, const Provider::Options& options, Owner& owner);
  ~ProviderChannels();

  void TakeOffer(const ntt::proxies::v1::ListenResponse::OpenChannelResponse& offer,
                 const ProviderChannel::Link& link);
  void TakeResume(const ntt::proxies::v1::ListenResponse::ResumeChannelResponse& resume,
                  const ProviderChannel::Link& link);
  // Who asked for the channel went away, or may not have it any more.
  void Cut(const culvert::v1::Notice::Cut& cut);
  // Every one of them is reset, the other ends are told.
  void AbortAll(const absl::Status& why);
  // The broker has taken back what was offered.
  void CutStarting(const absl::Status& why);
  // From now on offers are refused with `why`, as is what is being started; until TakeAgain.
  void StopTaking(const absl::Status& why);
  void TakeAgain() { stopped_ = absl::OkStatus(); }
  // The provider is registered as `session_id` now; 0: as nothing that it has channels of. Channels
  // of another session cannot be resumed: those that wait are reset, the others when they are lost.
  void SetSession(uint64_t session_id);
  // Registered again: the broker hears which of its pairs have lost this end meanwhile.
  void TellStitchesLost();
  // The connection to that broker is dead, whether or not gRPC has noticed.
  void SuspendAt(size_t broker, const std::string& why);

  // Stitched paths may be dead: those are left on which the other end does not answer.
  void LeaveUnanswered(const absl::Status& why);

  bool empty() const { return channels_.empty(); }
  size_t starting() const { return starting_; }
  size_t suspended() const { return suspended_.size(); }
  // Of those that are open.
  std::vector<ChannelStatus> Status() const;

 private:
  void OnChannelStarted() override;
  void OnChannelRefused(ProviderChannel& channel, const absl::Status& why,
                        uint64_t last_id) override;
  void OnChannelReport(const ServiceRequest& request, const ChannelReport& report) override;
  void OnChannelSuspended(ProviderChannel& channel) override;
  void OnStitchedPathLost(ProviderChannel& channel, uint64_t parked_id) override;
  void OnChannelResumed(ProviderChannel& channel) override;
  void OnChannelDone(ProviderChannel& channel) override;
  ProviderChannel* Find(uint64_t channel_id);
  absl::StatusOr<std::unique_ptr<net::TcpStream>> TakeConnection(uint64_t channel_id,
                                                                 uint64_t parked_id,
                                                                 const ProviderChannel::Link& link);
  void LimitSuspended(const std::string& consumer_key);
  void Part(std::unique_ptr<net::TcpStream> connection);
  void HandleChanges();

  ClientCore& core_;
  const Provider::Options& options_;
  Owner& owner_;
  uint64_t session_id_ = 0;
  absl::Status stopped_;  // why offers are refused; OK: they are taken
  std::unordered_map<uint64_t, std::unique_ptr<ProviderChannel>> channels_;
  size_t starting_ = 0;  // of those, not accepted or refused yet
  WaitingChannels suspended_;
  tunnel::Tombstones tombstones_;
  std::vector<uint64_t> done_;  // channels to remove in the next turn
  net::Deferred changes_;
  std::deque<std::unique_ptr<net::TcpStream>> parting_;  // the oldest first
  net::Timer parting_timer_;
};

}  // namespace culvert
