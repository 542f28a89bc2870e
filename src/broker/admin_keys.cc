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

// What keys have named as their successors, themselves left out.
absl::StatusOr<std::vector<std::string>> SuccessorsOf(AdminCall& call,
                                                      const std::vector<std::string>& keys) {
  std::vector<std::string> all;
  for (const std::string& key : keys) {
    CULVERT_ASSIGN_OR_RETURN(const auto later, call.store.key_rotations().SuccessorsOf(key));
    for (const std::string& one : later) {
      const bool is_known = std::find(all.begin(), all.end(), one) != all.end() ||
                            std::find(keys.begin(), keys.end(), one) != keys.end();
      if (!is_known) all.push_back(one);
    }
  }
  return all;
}

// The keys that somebody else is known with too, and who that is.
absl::StatusOr<Json> SharedKeys(AdminCall& call, const std::vector<std::string>& keys,
                                const std::string& project, const store::Subject& subject) {
  Json shared = Json::array();
  CULVERT_ASSIGN_OR_RETURN(const store::Role role, RoleOf(subject));
  for (const std::string& key : keys) {
    CULVERT_ASSIGN_OR_RETURN(const auto holders, call.store.principals().WithKey(key));
    for (const store::Principal& who : holders) {
      if (who.project == project && who.role == role && who.name == subject.name) continue;
      shared.push_back({{"key", key}, {"with", who.ToString()}, {"project", who.project}});
    }
  }
  return shared;
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
  const bool with_successors = call.args.TakeSwitch("successors");
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(std::vector<std::string> keys, KeysOf(call, project, subject));
  Json result = Json::object();
  if (subject.kind != store::SubjectKind::kKey) {
    CULVERT_ASSIGN_OR_RETURN(result["shared"], SharedKeys(call, keys, project, subject));
  }
  CULVERT_ASSIGN_OR_RETURN(std::vector<std::string> later, SuccessorsOf(call, keys));
  if (with_successors) keys.insert(keys.end(), later.begin(), later.end());
  CULVERT_RETURN_IF_ERROR(call.store.revocations().Revoke(keys, reason, call.now));
  std::string what = "revoked: " + subject.ToString();
  if (!reason.empty()) what += ": " + reason;
  AuditEvent event = AdminEvent(call, AuditKind::kRevoke, project, std::move(what));
  if (keys.size() == 1) event.key = keys.front();
  const auto is_revoked = [&](const auto& key) { return call.store.revocations().IsRevoked(key); };
  later.erase(std::remove_if(later.begin(), later.end(), is_revoked), later.end());
  result["keys"] = keys;
  result["successors"] = later;
  return AdminOutcome{std::move(result), AdminChange::kRevocations, std::move(event)};
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
