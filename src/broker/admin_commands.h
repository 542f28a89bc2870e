// The commands of Admin, one function each. Used by it only.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "broker/admin.h"
#include "broker/admin_args.h"

namespace culvert::broker {

// What a command works on.
struct AdminCall {
  store::Store& store;
  AdminArgs args;
  const Administrator& who;
  WallTime now;
  const std::function<absl::StatusOr<std::string>()>& ca_fingerprint;
  const std::string& state_dir;
  const AdminChannels& channels;
  const std::function<std::optional<QuotaUse>(const std::string& project)>& quota_use;
};

struct AdminOutcome {
  Json result;
  AdminChange change = AdminChange::kNone;
  std::optional<AuditEvent> event = {};
};

using AdminCommand = absl::StatusOr<AdminOutcome> (*)(AdminCall& call);

absl::StatusOr<AdminOutcome> CreateToken(AdminCall& call);
absl::StatusOr<AdminOutcome> ListTokens(AdminCall& call);
absl::StatusOr<AdminOutcome> RevokeToken(AdminCall& call);

absl::StatusOr<AdminOutcome> AllowRule(AdminCall& call);
absl::StatusOr<AdminOutcome> RevokeRule(AdminCall& call);
absl::StatusOr<AdminOutcome> ListRules(AdminCall& call);
absl::StatusOr<AdminOutcome> AddToGroup(AdminCall& call);
absl::StatusOr<AdminOutcome> RemoveFromGroup(AdminCall& call);
absl::StatusOr<AdminOutcome> ListGroups(AdminCall& call);
absl::StatusOr<AdminOutcome> AddToRole(AdminCall& call);
absl::StatusOr<AdminOutcome> RemoveFromRole(AdminCall& call);
absl::StatusOr<AdminOutcome> ListRoles(AdminCall& call);

absl::StatusOr<AdminOutcome> SetQuota(AdminCall& call);
absl::StatusOr<AdminOutcome> ClearQuota(AdminCall& call);
absl::StatusOr<AdminOutcome> ListQuotas(AdminCall& call);

absl::StatusOr<AdminOutcome> ListPrincipals(AdminCall& call);
absl::StatusOr<AdminOutcome> RevokeKeys(AdminCall& call);
absl::StatusOr<AdminOutcome> UnrevokeKey(AdminCall& call);

absl::StatusOr<AdminOutcome> ListSigningRequests(AdminCall& call);
absl::StatusOr<AdminOutcome> ImportCertificate(AdminCall& call);

absl::StatusOr<AdminOutcome> AddIssuer(AdminCall& call);
absl::StatusOr<AdminOutcome> RemoveIssuer(AdminCall& call);
absl::StatusOr<AdminOutcome> ListIssuers(AdminCall& call);
absl::StatusOr<AdminOutcome> AddServiceAccount(AdminCall& call);
absl::StatusOr<AdminOutcome> RemoveServiceAccount(AdminCall& call);
absl::StatusOr<AdminOutcome> ListServiceAccounts(AdminCall& call);

absl::StatusOr<AdminOutcome> ListChannels(AdminCall& call);
absl::StatusOr<AdminOutcome> KillChannel(AdminCall& call);

// Of the project that `call` is about.
std::string TakeProject(AdminCall& call);
// `kind` and `reason` filled in beside who did it.
AuditEvent AdminEvent(const AdminCall& call, AuditKind kind, const std::string& project,
                      std::string reason);

}  // namespace culvert::broker
