#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "broker/admin_commands.h"

namespace culvert::broker {
namespace {

absl::StatusOr<store::Role> RoleOf(const store::Subject& subject) {
  switch (subject.kind) {
    case store::SubjectKind::kUser:
      return store::Role::kUser;
    case store::SubjectKind::kAgent:
      return store::Role::kAgent;
    case store::SubjectKind::kServiceAccount:
      return store::Role::kServiceAccount;
    case store::SubjectKind::kKey:
    case store::SubjectKind::kGroup:
      break;
  }
  return absl::InvalidArgumentError("subject: expected a user, an agent or a key");
}

// The keys that are meant: one, or all that a principal has enrolled with or waits to.
absl::StatusOr<std::vector<std::string>> KeysOf(AdminCall& call, const std::string& project,
                                                const store::Subject& subject) {
  if (subject.kind == store::SubjectKind::kKey) return std::vector<std::string>{subject.name};
  CULVERT_ASSIGN_OR_RETURN(const store::Role role, RoleOf(subject));
  CULVERT_ASSIGN_OR_RETURN(std::vector<std::string> keys,
                           call.store.principals().KeysOf(project, role, subject.name));
  CULVERT_ASSIGN_OR_RETURN(const std::vector<std::string> asked,
                           call.store.signing_requests().KeysOf(project, role, subject.name));
  for (const std::string& key : asked) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  if (!keys.empty()) return keys;
  return absl::NotFoundError(
      fmt::format("{} has never enrolled; see principal list", Printable(subject.ToString())));
}

}  // namespace

absl::StatusOr<AdminOutcome> ListPrincipals(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const auto keys, call.store.principals().List(project));
  Json list = Json::array();
  for (const store::EnrolledKey& key : keys) {
    list.push_back({{"role", store::RoleName(key.principal.role)},
                    {"name", key.principal.name},
                    {"project", key.principal.project},
                    {"key", key.principal.key_id},
                    {"enrolled", FormatTime(key.first_enrolled)},
                    {"serial", key.serial},
                    {"expires", FormatTime(key.expires)},
                    {"revoked", call.store.revocations().IsRevoked(key.principal.key_id)}});
  }
  return AdminOutcome{std::move(list)};
}

absl::StatusOr<AdminOutcome> RevokeKeys(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_ASSIGN_OR_RETURN(const store::Subject subject, call.args.TakeSubject("subject"));
  const std::string reason = call.args.TakeTextOr("reason", "");
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const std::vector<std::string> keys, KeysOf(call, project, subject));
  CULVERT_RETURN_IF_ERROR(call.store.revocations().Revoke(keys, reason, call.now));
  std::string what = "revoked: " + subject.ToString();
  if (!reason.empty()) what += ": " + reason;
  AuditEvent event = AdminEvent(call, AuditKind::kRevoke, project, std::move(what));
  if (keys.size() == 1) event.key = keys.front();
  return AdminOutcome{{{"keys", keys}}, AdminChange::kRevocations, std::move(event)};
}

absl::StatusOr<AdminOutcome> UnrevokeKey(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const std::string key, call.args.TakeText("key"));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_RETURN_IF_ERROR(call.store.revocations().Unrevoke(key));
  AuditEvent event = AdminEvent(call, AuditKind::kRevoke, "", "believed again");
  event.key = key;
  return AdminOutcome{Json::object(), AdminChange::kRevocations, std::move(event)};
}

}  // namespace culvert::broker
