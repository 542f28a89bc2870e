// What an administrator can have done to the store: one JSON request, one JSON result. The same for
// a running broker and for a command line that has the store to itself.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "broker/audit_event.h"
#include "broker/live_channel.h"
#include "broker/quotas.h"
#include "store/store.h"

namespace culvert::broker {

using Json = nlohmann::ordered_json;

enum class AdminChange {
  kNone,
  kTokens,
  kPolicy,       // live channels may have lost their permission
  kRevocations,  // or their ends their identity
  kJwts,         // the same, of those who have a JSON Web Token for one
  kQuotas,
};

// Who asks, for the records: "uid 0".
struct Administrator {
  std::string name;
};

// The channels of the broker that runs; none without one.
struct AdminChannels {
  // Of one project, the oldest first, at most LiveChannel::kMost.
  std::function<std::vector<LiveChannel>(const std::string& project)> list =
      [](const std::string&) { return std::vector<LiveChannel>(); };
  // Ends it at both ends and returns it as it was; nothing if it is not open here.
  std::function<std::optional<LiveChannel>(uint64_t id)> kill = [](uint64_t) {
    return std::optional<LiveChannel>();
  };
};

// Confined to the store's thread; the store outlives it.
//
// A request is {"command": "token create", "args": {…}}. Its commands are those of the command line
// (see AdminRequest in admin_cli.h), their arguments what its flags say; one that a command does
// not know is an error, so that a condition which an older broker has not heard of is never
// ignored.
class Admin {
 public:
  struct Actions {
    // Of the CA's certificate, for tokens.
    std::function<absl::StatusOr<std::string>()> ca_fingerprint;
    // After a change, which is then in the store.
    std::function<void(AdminChange)> on_change = [](AdminChange) {};
    std::function<void(const AuditEvent&)> audit = [](const AuditEvent&) {};
    std::string state_dir = {};  // where the authority's and the broker's own certificate are
    AdminChannels channels = {};
    // What a project has at the broker that runs; nothing without one.
    std::function<std::optional<QuotaUse>(const std::string& project)> quota_use =
        [](const std::string&) { return std::nullopt; };
  };

  Admin(store::Store& store, Actions actions) : store_(store), actions_(std::move(actions)) {}

  absl::StatusOr<Json> Handle(const Json& request, const Administrator& who, WallTime now);

  // The same with text: {"result": …} or {"error": {"code": "NOT_FOUND", "message": "…"}}, without
  // a line feed.
  std::string HandleLine(std::string_view line, const Administrator& who, WallTime now);

 private:
  store::Store& store_;
  const Actions actions_;
};

// The other way: the result in what HandleLine gave, or its error. INTERNAL for anything else.
absl::StatusOr<Json> ReadAdminAnswer(std::string_view line);

}  // namespace culvert::broker
