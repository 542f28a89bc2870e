// A provider's registration with one broker at a time: the Listen stream, and trying again.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/backoff.h"
#include "culvert/provider.h"
#include "net/deferred.h"
#include "net/timer.h"
#include "rpc/stream.h"
#include "sdk/client_core.h"
#include "sdk/provider_channel.h"

namespace culvert {

// Confined to the loop.
class ProviderSession final : private rpc::Stream::Delegate, private ProviderChannel::Owner {
 public:
  enum class State {
    kConnecting,  // waits for `listening`
    kListening,
    kWaiting,  // for the next try
    kDrained,  // no more registrations
  };

  // How long a broker may take to answer a registration.
  static constexpr Duration kRegisterTime = std::chrono::seconds(10);
  // Whoever was taken over waits this long, doubling, so that two agents of one name do not fight.
  static constexpr Duration kTakenOverWait = std::chrono::seconds(30);
  static constexpr Duration kTakenOverMaxWait = std::chrono::minutes(10);
  // A registration that lasted this long was a success: the next loss is tried again soon.
  static constexpr Duration kStableTime = std::chrono::seconds(10);
  // Services being started at a time. More are refused with kBusy, which consumers try again.
  static constexpr size_t kMaxStarting = 1'024;
  // Refusals that the broker has not read yet; more end the session.
  static constexpr size_t kMaxUnreadRefusals = 4'096;

  ProviderSession(ClientCore& core, Provider::Options options);
  ~ProviderSession();

  void Drain(absl::AnyInvocable<void() &&> done);

  // Of the channels that are open.
  std::vector<ChannelStatus> Channels() const;
  // 0 while there is no registration.
  uint64_t id() const { return state_ == State::kListening ? session_id_ : 0; }

 private:
  void Connect();
  void RegisterAgain();
  void Lose(const absl::Status& why);
  void WaitAndConnect(const absl::Status& why);
  void CutStarting(const absl::Status& why);
  Duration WaitAfter(const absl::Status& why);
  void HandleListening(const ntt::proxies::v1::ListenResponse::Listening& listening);
  void HandleOffer(const ntt::proxies::v1::ListenResponse::OpenChannelResponse& offer);
  void HandleCut(const culvert::v1::Notice::Cut& cut);
  void SendRefusal(uint64_t channel_id, const absl::Status& why);

  void OnMessage(Bytes message) override;
  void OnWritten() override {}
  void OnEnd(absl::Status status) override;

  void OnChannelStarted() override { --starting_; }
  void OnChannelRefused(ProviderChannel& channel, const absl::Status& why) override;
  void OnChannelReport(const ServiceRequest& request, const ChannelReport& report) override;
  void OnChannelDone(ProviderChannel& channel) override;
  void RemoveDone();
  void CheckDrained();
  void SetState(State to);

  ClientCore& core_;
  const Provider::Options options_;
  const uint64_t incarnation_;
  State state_ = State::kWaiting;
  size_t attempt_ = 0;
  uint64_t session_id_ = 0;
  MonotonicTime listening_since_{};
  std::unique_ptr<rpc::Stream> stream_;
  Backoff backoff_;
  Duration taken_over_wait_ = kTakenOverWait;
  net::Timer timer_;
  std::unordered_map<uint64_t, std::unique_ptr<ProviderChannel>> channels_;
  size_t starting_ = 0;         // of those, not accepted or refused yet
  std::vector<uint64_t> done_;  // channels to remove in the next turn
  net::Deferred remove_done_;
  absl::AnyInvocable<void() &&> on_drained_;
  const ClientCore::KeyObserver new_key_;
};

}  // namespace culvert
