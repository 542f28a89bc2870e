// Which key an agent may have: pinned ones, the known ones, and those that a known one vouches for.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "crypto/certificate.h"
#include "net/event_loop.h"
#include "sdk/broker_list.h"
#include "sdk/known_agents.h"
#include "sdk/unary_call.h"

namespace culvert {

// Confined to the loop, on which it reads and writes the file of known agents.
class AgentKeys {
 public:
  // `pinned`: by "PROJECT/AGENT", counting more than the file. `brokers` outlives it.
  AgentKeys(net::EventLoop& loop, BrokerList& brokers, const std::string& state_dir,
            std::map<std::string, std::string> pinned);

  // Whether the agent of this certificate, which was checked, may have its key; an agent that is
  // not known is recorded with it. PERMISSION_DENIED in words for people if not. A key is what it
  // is known by instead: its Succession decides.
  absl::StatusOr<std::optional<std::string>> Check(const crypto::Certificate& agent) const;

  class Succession;

 private:
  net::EventLoop& loop_;
  BrokerList& brokers_;
  const KnownAgents known_;
  const std::map<std::string, std::string> pinned_;
};

// Asks the broker what the known key has said of its successors. Destroy = cancel.
class AgentKeys::Succession {
 public:
  using OnDone = absl::AnyInvocable<void(absl::Status) &&>;
  static constexpr Duration kLimit = std::chrono::seconds(5);

  // `on_done` runs once, never inside the constructor, and may destroy this: OK if statements lead
  // from `known` to the certificate's key, which the agent is known by from now on; otherwise
  // PERMISSION_DENIED in words for people.
  Succession(const AgentKeys& keys, const crypto::Certificate& agent, std::string known,
             OnDone on_done);
  ~Succession();

 private:
  void Ask();
  void HandleAnswer(const absl::StatusOr<Bytes>& answer);
  absl::Status Follow(const Bytes& answer) const;
  void Finish(const absl::Status& followed);

  const AgentKeys& keys_;
  const crypto::Certificate agent_;
  const std::string known_key_;
  OnDone on_done_;
  size_t broker_ = 0;
  size_t asked_ = 0;  // brokers
  std::optional<UnaryCall> call_;
};

}  // namespace culvert
