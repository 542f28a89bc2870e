// What culvert-broker's admin commands are told.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/wall_time.h"
#include "config/program.h"

namespace culvert::config {

// A point in time as people say it: "1h" (ago), or as RFC 3339.
struct When {
  std::optional<Duration> ago;
  WallTime at;  // unless `ago`

  WallTime Resolve(WallTime now) const;
};
absl::StatusOr<When> ParseWhen(std::string_view text);

// Whom a command is about. The kinds are "user", "agent", "service_account", "group" and "key".
struct AdminSubject {
  std::string kind;
  std::string name;
  friend bool operator==(const AdminSubject&, const AdminSubject&) = default;
};

// One command; which fields count depends on it. Names are checked by whoever does it.
struct AdminCommand {
  std::string name;     // "token create"; empty: it is no admin command
  std::string operand;  // what is no flag: a token's id, the name of a group, role or issuer
  std::string project = "default";
  std::vector<AdminSubject> subjects;
  std::string agent = "*";  // a glob
  std::string service = "*";
  std::string target;  // empty: every target
  std::string role = "connect";
  std::vector<std::string> permissions;
  std::string reason;
  bool successors = false;  // of revoke
  // Of quotas:
  bool all_others = false;  // for every project that has none of its own
  bool has_project = false;
  // By name, as the broker is told; nothing: no limit.
  std::map<std::string, std::optional<uint64_t>> limits;
  Duration ttl = std::chrono::hours(1);
  // Of ca sign and ca import; "-" is standard input or output:
  std::string in = "-";
  std::string out = "-";
  std::vector<std::string> only;  // "agent:edge-1", "broker" or "key:KEYID"; empty: all
  // Of issuers and service accounts:
  std::string jwks;  // a file, or a URL
  std::vector<std::string> audiences;
  std::string claim = "sub";
  std::string ca_file;
  std::string public_key;  // a file
  std::string kid;         // empty: every key
  // Of the audit log:
  When since{std::chrono::hours(24), {}};
  When until{Duration(0), {}};
  std::string kind;
};

// The admin commands, which fill `admin`. `shared` are the settings of every command: those of the
// daemon, of which an admin command has some as flags and knows the others in the file.
std::vector<Command> AdminCommands(AdminCommand& admin, const Settings& shared);

}  // namespace culvert::config
