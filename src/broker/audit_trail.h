// What happens at the Broker, put into words for the audit log.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "base/token_bucket.h"
#include "broker/audit_event.h"
#include "broker/departures.h"
#include "broker/relay.h"
#include "broker/session.h"
#include "net/event_loop.h"
#include "net/timer.h"

namespace culvert::broker {

// Confined to the control loop.
class AuditTrail {
 public:
  using Write = std::function<void(const AuditEvent&)>;

  // What one address may have recorded of what came to nothing, and one agent of its registrations:
  // whoever is refused, or comes and goes, can do so again at once, and must not fill the disk. The
  // next one that is recorded says how many were left out.
  static constexpr TokenRate kRate{.per_second = 1, .burst = 100};
  // Of all addresses together.
  static constexpr TokenRate kRateOfAll{.per_second = 50, .burst = 1'000};
  static constexpr size_t kMostKeys = 4'096;  // addresses and agents
  static constexpr Duration kGoneTime = Departures::kTogether;

  // Without `write` nothing is recorded.
  AuditTrail(net::EventLoop& loop, Write write);

  void Registered(const Session& session);
  void Unregistered(const Session& session, const absl::Status& why);
  void Opened(const Relay& relay);
  void Resumed(const Relay& relay);
  // Of a channel, or of an opening that came to nothing. The relay is over.
  void Ended(const Relay& relay);
  // A program counts as gone that `who` describes, a user's: one more of its channels is cut. Those
  // of one connection are recorded together, kGoneTime after the first or at FlushGone.
  void UserGone(const AuditEvent& who);
  void FlushGone();
  // An agent's, with so many channels.
  void AgentGone(AuditEvent who, size_t channels);
  // The request that `asked` describes was granted: what is recorded is of the kind `kind`.
  void Granted(AuditEvent asked, AuditKind kind);
  // What was granted before has ended, and why.
  void GrantEnded(AuditEvent event, const absl::Status& why);
  // It was refused. `address` is the peer's, without a port.
  void Denied(AuditEvent asked, const std::string& address, const absl::Status& why);

 private:
  // `address` without a port.
  void RecordInVain(AuditEvent event, AuditKind kind, const std::string& address);
  void RecordLimited(AuditEvent event, AuditKind kind, bool may);
  bool MayRecord(const Session& session);
  void RecordGone(AuditEvent who, const std::string& whose, size_t channels);

  net::EventLoop& loop_;
  const Write write_;
  TokenBuckets by_key_;
  TokenBucket of_all_;
  uint64_t left_out_ = 0;
  struct GoneUser {
    AuditEvent who;
    size_t channels = 0;
  };
  std::unordered_map<std::string, GoneUser> gone_users_;  // by their addresses
  net::Timer gone_timer_;
};

// "default" of "projects/default".
std::string ProjectId(const std::string& project);
// Fills in who asks.
void SetPrincipal(const Principal& who, AuditEvent& event);
// Whose programs they are, and at which addresses.
AuditEvent UserOf(const Relay& relay);
AuditEvent AgentOf(const Relay& relay);
AuditEvent AgentOf(const Session& session);
// Fills in what is asked for, and the project unless the principal has said that.
void SetAsked(const OpenChannel& open, AuditEvent& event);

}  // namespace culvert::broker
