// What the encrypted channels of one Client share: its TLS contexts, threads for handshakes,
// sessions to resume, and which keys agents are known by.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "base/token_bucket.h"
#include "crypto/identity.h"
#include "crypto/tls_context.h"
#include "crypto/tls_engine.h"
#include "net/deferred.h"
#include "net/timer.h"
#include "net/worker_queue.h"
#include "sdk/agent_keys.h"

namespace culvert {

// Confined to the loop.
class EndToEnd {
 public:
  // How long a handshake waits for the session that another one with the same agent is about to
  // bring: a resumed handshake costs a hundredth of a full one.
  static constexpr Duration kSessionWait = std::chrono::seconds(2);
  // Agents whose sessions are kept; when full, all are forgotten.
  static constexpr size_t kMostSessions = 4'096;
  // How many full handshakes one consumer may cost this agent, each 8 ms of the processor.
  static constexpr TokenRate kHandshakes{.per_second = 10, .burst = 64};
  // Consumers that are told apart for that.
  static constexpr size_t kMostConsumers = 4'096;

  // `agent_keys`: by "PROJECT/AGENT", counting more than the file of known agents.
  // `brokers` outlives it.
  EndToEnd(net::EventLoop& loop, BrokerList& brokers, const crypto::Identity& identity,
           const std::string& state_dir, std::map<std::string, std::string> agent_keys);
  ~EndToEnd();

  // A renewed one. Sessions and tickets stay good unless its key is another one.
  void SetIdentity(const crypto::Identity& identity);

  net::EventLoop& loop() { return loop_; }
  net::WorkerQueue& workers() { return workers_; }
  const AgentKeys& agent_keys() const { return agent_keys_; }
  const std::shared_ptr<const crypto::TlsContext>& client() const { return client_; }
  // Null unless the identity is an agent's.
  const std::shared_ptr<const crypto::TlsContext>& server() const { return server_; }

  // At an agent: counts a handshake of the consumer with this key, and returns 0, or how long it
  // has to wait before it asks again.
  Duration TakeHandshake(const std::string& consumer_key);
  // It was a resumed one, which costs next to nothing.
  void ReturnHandshake(const std::string& consumer_key);

  // A turn to shake hands with an agent.
  class Turn;
  using OnTurn = absl::AnyInvocable<void(std::shared_ptr<const crypto::TlsSession>) &&>;
  // Calls `on_turn` in a later turn of the loop, with the session to resume or null; after another
  // handshake with that agent has ended, if one without a session is under way.
  std::unique_ptr<Turn> AwaitTurn(const std::string& agent, OnTurn on_turn);
  // The same at once, if there is a session to resume; else null.
  struct TurnNow {
    std::unique_ptr<Turn> turn;
    std::shared_ptr<const crypto::TlsSession> session;
  };
  TurnNow TakeTurn(const std::string& agent);

 private:
  struct Agent {
    std::shared_ptr<const crypto::TlsSession> session;
    MonotonicTime since{};   // of the session
    size_t handshaking = 0;  // without a session
    std::list<Turn*> waiting;
  };
  void GiveTurns();
  void Give(Turn& turn, Agent& agent);
  void ForgetOld(Agent& agent) const;
  void Leave(Turn& turn);

  net::EventLoop& loop_;
  net::WorkerQueue workers_;
  const AgentKeys agent_keys_;
  std::shared_ptr<const crypto::TlsContext> client_;
  std::shared_ptr<const crypto::TlsContext> server_;
  std::map<std::string, Agent> agents_;
  net::Deferred give_turns_;
  TokenBuckets handshakes_;  // by the consumer's key
};

// Destroy = the handshake is over, or not wanted any more.
class EndToEnd::Turn {
 public:
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  // The handshake succeeded: the next ones resume `session`.
  void Succeed(std::shared_ptr<const crypto::TlsSession> session);

 private:
  friend class EndToEnd;
  enum class State { kWaiting, kFull, kResumed };
  Turn(EndToEnd& owner, std::string agent, OnTurn on_turn);

  EndToEnd& owner_;
  const std::string agent_;
  OnTurn on_turn_;
  State state_ = State::kWaiting;
  net::Timer timer_;
};

}  // namespace culvert
