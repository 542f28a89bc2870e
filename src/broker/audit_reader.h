// Finds events in an audit log and in the older files that it was rotated to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "broker/audit_event.h"

namespace culvert::broker {

// What is empty is not asked for.
struct AuditQuery {
  WallTime since;
  WallTime until;
  std::string user;   // events of this user
  std::string agent;  // events of this agent, or of a channel to it
  std::optional<AuditKind> kind;
};

// Calls `found` with each line that the query asks for, the oldest first, until it returns an
// error, which is then returned. Reads `path` and path.1, path.2, … as far as they are there; lines
// that are no events are left out. NOT_FOUND if there is no file at all. Blocks.
absl::Status ReadAudit(const std::string& path, const AuditQuery& query,
                       absl::FunctionRef<absl::Status(std::string_view line)> found);

// One event for people, without a line feed: "2026-… open user/alice edge-1 tcp 10.0.0.1:22 …".
std::string DescribeAuditLine(std::string_view line);

}  // namespace culvert::broker
