// What happened, for the record: one event is one line of JSON in the audit log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/wall_time.h"

namespace culvert::broker {

enum class AuditKind {
  kEnrol,       // a principal got its first certificate of a key
  kRenew,       // … and the next
  kLogin,       // … or one for a JWT
  kRegister,    // an agent came
  kUnregister,  // … and went
  kOpen,        // a channel was opened
  kResume,      // … and got another path
  kDeny,        // something was refused: an attempt, or a channel that may not go on
  kFail,        // an opening that was allowed came to nothing
  kClose,       // a channel has ended
  kPolicy,      // rules, groups and roles were changed
  kToken,       // an enrolment token was made or revoked
  kRevoke,      // a key was revoked or is believed again
  kKill,        // an administrator ended a channel for good
  kRendezvous,  // a user asked for two programs to meet at the data port
  kProject,     // a project was made, changed or deleted
  kGone,        // a program that closed its connection and did not come back: its channels ended
  kAdmin,       // anything else an administrator did
};

// "enrol", "renew", …
std::string_view AuditKindName(AuditKind kind);
absl::StatusOr<AuditKind> ParseAuditKind(std::string_view text);

// What is empty is not in the line.
struct AuditEvent {
  // Longer strings are cut, whoever has chosen them.
  static constexpr size_t kMaxFieldBytes = 512;

  AuditKind kind = AuditKind::kAdmin;
  std::string project = {};    // an ID
  std::string principal = {};  // a SPIFFE id, or "uid 0" for an administrator
  std::string key = {};        // the principal's key id
  std::string address = {};    // where from
  std::string agent = {};
  std::string service = {};
  std::string target = {};
  std::string channel = {};
  std::optional<uint64_t> bytes_sent = {};  // by the consumer
  std::optional<uint64_t> bytes_received = {};
  std::optional<Duration> duration = {};
  std::string code = {};    // "PERMISSION_DENIED"
  std::string reason = {};  // in words; of an administrator's change what was changed

  // Without a line feed. Strings are made printable.
  std::string ToLine(WallTime time) const;
};

}  // namespace culvert::broker
