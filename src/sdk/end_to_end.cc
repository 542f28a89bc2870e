#include "sdk/end_to_end.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert {

using crypto::TlsContext;
using crypto::TlsRole;

EndToEnd::EndToEnd(net::EventLoop& loop, const crypto::Identity& identity,
                   const std::string& state_dir, std::map<std::string, std::string> agent_keys)
    : loop_(loop),
      workers_(loop),
      known_agents_(state_dir),
      agent_keys_(std::move(agent_keys)),
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
  client_ = create(TlsRole::kClient, {});
  if (identity.spiffe_id().role != crypto::SpiffeId::Role::kAgent) return;
  crypto::TlsOptions options;
  if (server_ != nullptr) options.tickets = server_->tickets();
  server_ = create(TlsRole::kServer, options);
}

absl::Status EndToEnd::CheckAgentKey(const std::string& agent, const std::string& key) {
  if (const auto pinned = agent_keys_.find(agent); pinned != agent_keys_.end()) {
    if (pinned->second == key) return absl::OkStatus();
    return absl::PermissionDeniedError(
        fmt::format("agent {} has the key {}, not {} as --agent-key says",
                    agent.substr(agent.find('/') + 1), key, pinned->second));
  }
  CULVERT_ASSIGN_OR_RETURN(const KnownAgents::Verdict verdict, known_agents_.Check(agent, key));
  if (verdict == KnownAgents::Verdict::kRecorded) {
    CULVERT_LOG(kWarning, "agent {} is seen for the first time; its key {} is recorded",
                agent.substr(agent.find('/') + 1), key);
  }
  return absl::OkStatus();
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
