// The broker: pairs consumers with providers and relays what they say.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "broker/admission.h"
#include "broker/pending_stream.h"
#include "broker/registry.h"
#include "broker/relay.h"
#include "broker/requests.h"
#include "broker/session.h"
#include "net/deferred.h"
#include "net/event_loop.h"
#include "rpc/server.h"

namespace culvert::broker {

// Everything but the sockets: streams come in by AddStream. Confined to the control loop.
class Broker final : public Session::Owner, public Relay::Owner {
 public:
  struct Limits {
    uint64_t streams_per_address = 16'384;
    uint64_t pending_per_address = 1'024;
  };

  // An opening whose provider went away less than this ago waits for it, until that time is over.
  static constexpr Duration kAwayWait = std::chrono::seconds(5);

  Broker(net::EventLoop& loop, std::string region, const Limits& limits);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Takes a new stream of the server.
  void AddStream(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream);
  void SetLimits(const Limits& limits);

  // New sessions and openings are refused from now on; `on_idle` runs when the last channel has
  // ended, never inside the call.
  void Drain(absl::AnyInvocable<void() &&> on_idle);
  // Ends everything with UNAVAILABLE.
  void EndAll();

  size_t channels() const { return relays_.size(); }
  size_t sessions() const { return registry_.size(); }
  // Streams that have not sent their first message.
  size_t silent_streams() const { return pending_.size(); }

 private:
  void HandleFirstMessage(PendingStream& pending, const std::optional<Bytes>& message);
  absl::Status BeginConnect(PendingStream& pending, const Bytes& message);
  absl::Status BeginListen(PendingStream& pending, const Bytes& message);
  absl::Status BeginAccept(PendingStream& pending, const Bytes& message);
  void OpenRelay(PendingStream& pending, OpenChannel open);
  void Offer(Relay& relay, Session& session);
  void OfferWaiting(Session& session);
  // What `session` was offered and has not accepted waits for whoever comes in its place.
  void TakeBackOffers(const Session& session);
  void FailAway(Relay& relay);

  void OnOpenRefused(Session& session, uint64_t channel_id, tunnel::ErrorCode code,
                     const std::string& message) override;
  void OnSessionLost(Session& session, absl::Status why) override;
  void OnRelayEnded(Relay& relay) override;
  void OnRelayTimeout(Relay& relay) override;
  void Sweep();

  net::EventLoop& loop_;
  const std::string region_;
  SlotCounter streams_;
  SlotCounter pending_openings_;
  Registry registry_;
  std::unordered_map<PendingStream*, std::unique_ptr<PendingStream>> pending_;
  std::unordered_map<Relay*, std::unique_ptr<Relay>> relays_;
  std::unordered_map<uint64_t, Relay*> by_channel_;  // offered or open
  // What ended and is removed in the next turn: it may be what called us.
  std::vector<PendingStream*> done_pending_;
  std::vector<Relay*> done_relays_;
  std::vector<std::unique_ptr<Session>> done_sessions_;
  net::Deferred sweep_;
  bool draining_ = false;
  absl::AnyInvocable<void() &&> on_idle_;
};

}  // namespace culvert::broker
