// A provider's registration with one broker at a time: the Listen stream, and taking it up again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/random/random.h"
#include "culvert/provider.h"
#include "net/timer.h"
#include "rpc/stream.h"
#include "sdk/client_core.h"
#include "sdk/connectivity.h"
#include "sdk/provider_channels.h"

namespace culvert {

// Confined to the loop. The session outlives its stream: the broker, the same or another one, knows
// it again by a ticket, and the channels go on. A broker that does not makes another one, and what
// waits for a path in the old one is reset.
class ProviderSession final : private rpc::Stream::Delegate, private ProviderChannels::Owner {
 public:
  enum class State {
    kConnecting,  // waits for `listening`
    kListening,
    kLeaving,    // as before, but the broker stops: moves once no service is being started
    kWaiting,    // for the next try
    kTakenOver,  // the same, and nothing makes it shorter
    kDrained,    // needs no registration
  };

  // How long a broker may take to answer a registration.
  static constexpr Duration kRegisterTime = std::chrono::seconds(10);
  // Whoever was taken over waits this long, doubling, so that two agents of one name do not fight.
  static constexpr Duration kTakenOverWait = std::chrono::seconds(30);
  static constexpr Duration kTakenOverMaxWait = std::chrono::minutes(10);
  // The news that it was taken over may come later than that whoever did it is gone: within this
  // time it is not waited for.
  static constexpr Duration kTakeBackTime = std::chrono::seconds(5);
  // A registration that lasted this long was a success: the next loss is tried again soon.
  static constexpr Duration kStableTime = std::chrono::seconds(10);
  // Nor is it a failure that a broker stops that took the registration this long before.
  static constexpr Duration kWorthyTime = std::chrono::seconds(1);
  // A try that is older than this is begun anew when there is news of the network.
  static constexpr Duration kFreshTry = std::chrono::seconds(1);
  // Refusals that the broker has not read yet; more end the stream.
  static constexpr size_t kMaxUnreadAnswers = 4'096;
  // What a broker may say of the time that it stops in.
  static constexpr Duration kMaxStopTime = std::chrono::minutes(10);
  // … and for how long it wants no registration.
  static constexpr Duration kMostRetryAfter = std::chrono::minutes(2);

  ProviderSession(ClientCore& core, Provider::Options options);
  ~ProviderSession();

  void Drain(absl::AnyInvocable<void() &&> done);

  // Likewise, when another process has the session: channels that lose their path are reset.
  void Retire(absl::AnyInvocable<void() &&> done);
  void Abort(absl::AnyInvocable<void() &&> done);
  // The process that has the session instead is gone: it is taken back at once, after Retire too.
  void TakeBack();

  // Of the channels that are open.
  std::vector<ChannelStatus> Channels() const { return channels_.Status(); }
  // 0 while there is no registration.
  uint64_t id() const { return is_listening() && registration_ ? registration_->id : 0; }

 private:
  // What the broker knows the session by.
  struct Registration {
    uint64_t id = 0;
    std::string ticket;
  };
  enum class Purpose { kServing, kDraining };

  void Connect();
  rpc::Frame Opening() const;
  void RegisterAgain();
  void TryNow();
  void HandleDead(size_t dead, const std::string& why);
  void Lose(const absl::Status& why);
  void Forget();
  void WaitAndConnect(const absl::Status& why);
  Duration WaitAfter(const absl::Status& why);
  void HandleListening(const ntt::proxies::v1::ListenResponse::Listening& listening);
  void HandleNotice(const culvert::v1::Notice& notice);
  void HandleStopping(const culvert::v1::Notice::Drain& drain);
  void BeginLeaving(Duration limit);
  void Move();
  void SendPing();
  ProviderChannel::Link link();

  void OnMessage(Bytes message) override;
  void OnWritten() override {}
  void OnEnd(absl::Status status) override;

  bool MayAnswer();
  void SendRefusal(uint64_t channel_id, const absl::Status& why, uint64_t last_id) override;
  void SendStitchFailed(uint64_t channel_id, uint64_t parked_id) override;
  void Send(const ntt::proxies::v1::ListenRequest& request);
  void StartParking(uint32_t data_port);
  void OnChannelsChanged() override;
  void FollowDrain();
  // Of the attempt: its number, and its address.
  size_t broker() const { return attempt_; }
  const std::string& address() const { return core_.brokers().AddressForAttempt(attempt_); }
  bool is_listening() const { return state_ == State::kListening || state_ == State::kLeaving; }
  void SetState(State to);

  ClientCore& core_;
  const Provider::Options options_;
  const uint64_t incarnation_;
  State state_ = State::kWaiting;
  Purpose purpose_ = Purpose::kServing;
  size_t attempt_ = 0;
  uint64_t connection_ = 0;                   // its generation, of stream_
  std::optional<size_t> next_;                // the broker after one that stops
  std::optional<Registration> registration_;  // to take up again; none: another one is made
  MonotonicTime connecting_since_{};
  MonotonicTime listening_since_{};
  std::optional<MonotonicTime> away_since_;  // since the last registration that was a success
  std::unique_ptr<rpc::Stream> stream_;
  std::optional<Connectivity::ControlPing> ping_;  // while it listens
  Duration taken_over_wait_ = kTakenOverWait;
  Duration retry_after_{0};  // as the broker said while kConnecting
  std::optional<MonotonicTime> taken_back_;
  net::Timer timer_;  // kConnecting: its limit; kListening, kLeaving: the move; else the next try
  net::Timer abort_timer_;
  absl::InsecureBitGen random_;
  DataParking parking_;
  ProviderChannels channels_;
  absl::AnyInvocable<void() &&> on_drained_;
  const ClientCore::KeyObserver new_key_;
  Connectivity::Subscription connectivity_;
};

}  // namespace culvert
