#include "sdk/end_to_end.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert {

using crypto::TlsContext;
using crypto::TlsRole;

EndToEnd::EndToEnd(net::EventLoop& loop, BrokerList& brokers, const crypto::Identity& identity,
                   const std::string& state_dir, std::map<std::string, std::string> agent_keys)
    : loop_(loop),
      workers_(loop),
      agent_keys_(loop, brokers, state_dir, std::move(agent_keys)),
      give_turns_(loop, [this] { GiveTurns(); }),
      handshakes_(kHandshakes, kMostConsumers) {
  SetIdentity(identity);
}

EndToEnd::~EndToEnd() = default;

void EndToEnd::SetIdentity(const crypto::Identity& identity) {
  const auto create = [&identity](TlsRole role, const crypto::TlsOptions& options) {
    auto context =
        TlsContext::Create(role, identity.certificate, identity.key, identity.authority, options);
    CULVERT_CHECK(context.ok());  // an Identity is of parts that belong together
    return *std::move(context);
  };
  const bool same_key =
      client_ == nullptr || client_->own().public_key() == identity.key.public_key();
  // A session is of the two keys that made it.
  if (!same_key) {
    for (auto& [name, agent] : agents_) agent.session = nullptr;
  }
  client_ = create(TlsRole::kClient, {});
  if (identity.spiffe_id().role != crypto::SpiffeId::Role::kAgent) return;
  crypto::TlsOptions options;
  if (server_ != nullptr && same_key) options.tickets = server_->tickets();
  server_ = create(TlsRole::kServer, options);
}

Duration EndToEnd::TakeHandshake(const std::string& consumer_key) {
  TokenBucket& bucket = handshakes_.For(consumer_key, loop_.Now());
  return bucket.Take(loop_.Now()) ? Duration::zero() : bucket.Wait(loop_.Now());
}

void EndToEnd::ReturnHandshake(const std::string& consumer_key) {
  handshakes_.For(consumer_key, loop_.Now()).Return();
}

// --- turns ---

std::unique_ptr<EndToEnd::Turn> EndToEnd::AwaitTurn(const std::string& agent, OnTurn on_turn) {
  std::unique_ptr<Turn> turn(new Turn(*this, agent, std::move(on_turn)));
  if (agents_.size() >= kMostSessions && agents_.find(agent) == agents_.end()) {
    // Those that somebody waits at stay.
    std::erase_if(agents_, [](const auto& entry) {
      return entry.second.handshaking == 0 && entry.second.waiting.empty();
    });
  }
  agents_[agent].waiting.push_back(turn.get());
  turn->timer_.Start(kSessionWait, [this, waiting = turn.get()] {
    Agent& there = agents_[waiting->agent_];
    there.waiting.remove(waiting);
    Give(*waiting, there);
  });
  give_turns_.Schedule();
  return turn;
}

EndToEnd::TurnNow EndToEnd::TakeTurn(const std::string& agent) {
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return {};
  ForgetOld(found->second);
  if (found->second.session == nullptr) return {};
  std::unique_ptr<Turn> turn(new Turn(*this, agent, nullptr));
  turn->state_ = Turn::State::kResumed;
  return {std::move(turn), found->second.session};
}

void EndToEnd::GiveTurns() {
  for (auto& [name, agent] : agents_) {
    ForgetOld(agent);
    while (!agent.waiting.empty() && (agent.session != nullptr || agent.handshaking == 0)) {
      Turn& turn = *agent.waiting.front();
      agent.waiting.pop_front();
      Give(turn, agent);
    }
  }
}

// A server takes none that is older than its tickets may be: those that wait would all shake hands
// in full instead of one of them.
void EndToEnd::ForgetOld(Agent& agent) const {
  if (loop_.Now() - agent.since >= crypto::TlsTickets::kLife) agent.session.reset();
}

void EndToEnd::Give(Turn& turn, Agent& agent) {
  turn.timer_.Cancel();
  turn.state_ = agent.session == nullptr ? Turn::State::kFull : Turn::State::kResumed;
  if (agent.session == nullptr) ++agent.handshaking;
  std::exchange(turn.on_turn_, nullptr)(agent.session);
}

void EndToEnd::Leave(Turn& turn) {
  const auto found = agents_.find(turn.agent_);
  if (found == agents_.end()) return;  // forgotten while it resumed
  Agent& agent = found->second;
  switch (turn.state_) {
    case Turn::State::kWaiting:
      agent.waiting.remove(&turn);
      break;
    case Turn::State::kFull:
      --agent.handshaking;
      break;
    case Turn::State::kResumed:
      break;
  }
  give_turns_.Schedule();
}

EndToEnd::Turn::Turn(EndToEnd& owner, std::string agent, OnTurn on_turn)
    : owner_(owner), agent_(std::move(agent)), on_turn_(std::move(on_turn)), timer_(owner.loop_) {}

EndToEnd::Turn::~Turn() { owner_.Leave(*this); }

void EndToEnd::Turn::Succeed(std::shared_ptr<const crypto::TlsSession> session) {
  Agent& agent = owner_.agents_[agent_];
  agent.session = std::move(session);
  agent.since = owner_.loop_.Now();
}

}  // namespace culvert
