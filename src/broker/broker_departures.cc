// What the Broker does about programs that do not come back.
#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "broker/broker.h"
#include "tunnel/message.h"

namespace culvert::broker {

using tunnel::ErrorCode;

void Broker::NoteLost(const Relay& relay) {
  const uint32_t held = relay.resume() ? relay.resume()->timeout_s : relay.resume_timeout_s();
  if (held == 0) return;
  if (relay.consumer_lost() && tunnel::IsCapable(relay.open().capabilities)) {
    departures_.UserLost(relay.consumer_endpoint(), relay.session_id(), relay.id(), loop_.Now(),
                         UserOf(relay));
  }
  // An agent that ends has given up its Listen stream before.
  if (relay.provider_lost() && tunnel::IsCapable(relay.provider_capabilities())) {
    departures_.AgentLost(relay.provider_peer(), relay.session_id(), loop_.Now(), AgentOf(relay),
                          1);
  }
  AwaitReturns();
}

void Broker::NoteLost(const Session& session, const absl::Status& why) {
  const bool by_peer = why.ok() || absl::IsCancelled(why);
  if (!by_peer || !session.capable() || session.incarnation() == 0) return;
  departures_.AgentLost(session.endpoint(), session.id(), loop_.Now(), AgentOf(session));
  AwaitReturns();
}

void Broker::AwaitReturns() {
  if (returns_timer_.is_set()) return;
  const std::optional<MonotonicTime> at = departures_.next_verdict();
  if (!at) return;
  returns_timer_.Start(std::max(*at - loop_.Now(), Duration::zero()), [this] {
    for (const Departures::Gone& gone : departures_.Judge(loop_.Now())) {
      gone.channel_id != 0 ? HandleUserGone(gone) : HandleAgentGone(gone);
    }
    AwaitReturns();
  });
}

void Broker::HandleUserGone(const Departures::Gone& gone) {
  // Where the agent is away too both may be elsewhere, with the channel.
  Session* const session = registry_.FindById(gone.session_id);
  if (session == nullptr || !session->capable()) return;
  CULVERT_LOG(kInfo, "[channel {:x}] the user's program is gone", gone.channel_id);
  departures_.Remember(gone.channel_id, loop_.Now());
  earlier_paths_.Forget(gone.channel_id);
  quotas_.Forget(gone.channel_id);
  trail_.UserGone(gone.who);
  TellCutOnce(*session, gone.channel_id,
              ErrorStatus(ErrorCode::kShutdown, "the user's program is gone"));
}

void Broker::HandleAgentGone(const Departures::Gone& gone) {
  const uint64_t session_id = gone.session_id;
  if (registry_.FindById(session_id) != nullptr) return;  // it has come back on another connection
  CULVERT_LOG(kInfo, "[session {:x}] the agent's program is gone", session_id);
  departures_.Remember(session_id, loop_.Now());
  trail_.AgentGone(gone.who, gone.channels);
  std::vector<Relay*> held;
  for (const auto& [relay, owned] : relays_) {
    const bool waits = relay->state() == Relay::State::kWaiting;
    if (waits && relay->resume() && relay->session_id() == session_id) held.push_back(relay);
  }
  for (Relay* relay : held) relay->RefuseResume(AgentGone());
}

}  // namespace culvert::broker
