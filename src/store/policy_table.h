// The rules, groups and roles of a store, and the Policy that they make.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "store/policy.h"

namespace culvert::store {

class Database;

struct StoredRule {
  Rule rule;
  WallTime created;
  std::string created_by;  // "uid 0"
};

enum class Change { kMade, kAlreadyThere };

// Part of a Store, and confined to its thread. Every change is in current() when it returns.
// NOT_FOUND where a project, group or role that is named does not exist; INVALID_ARGUMENT for what
// is no name.
class PolicyTable {
 public:
  explicit PolicyTable(Database& database) : database_(database) {}
  absl::Status Load();

  // Never null. What was current stays as it was for whoever holds it.
  const std::shared_ptr<const Policy>& current() const { return current_; }

  absl::StatusOr<Change> Allow(const Rule& rule, const std::string& created_by, WallTime now);
  // NOT_FOUND unless exactly this rule is there.
  absl::Status Revoke(const Rule& rule);
  // The oldest first.
  absl::StatusOr<std::vector<StoredRule>> ListRules(const std::string& project);

  // Makes the group if it is not there, and adds the members that it has not. No group in a group.
  absl::Status AddToGroup(const Group& added);
  // Without members: the whole group, FAILED_PRECONDITION while a rule is for it. With members:
  // those, NOT_FOUND if one is not in it.
  absl::Status RemoveFromGroup(const Group& removed);
  absl::StatusOr<std::vector<Group>> ListGroups(const std::string& project);

  // Adds permissions to a role of all projects, which is made if it is not there.
  // FAILED_PRECONDITION for a built-in one.
  absl::Status AddToRole(const RoleDefinition& added);
  // As RemoveFromGroup.
  absl::Status RemoveFromRole(const RoleDefinition& removed);
  // The built-in ones first.
  absl::StatusOr<std::vector<RoleDefinition>> ListRoles();

 private:
  // Commits what `body` does together with what it makes of the policy, or neither.
  absl::Status Apply(std::string_view what, absl::FunctionRef<absl::Status()> body);
  absl::StatusOr<Policy::Content> ReadAll();
  absl::StatusOr<std::vector<Rule>> ReadRules();
  absl::StatusOr<std::vector<Group>> ReadGroups();
  absl::StatusOr<std::vector<RoleDefinition>> ReadRoles();
  absl::Status CheckSubjectExists(const Rule& rule);
  absl::Status CheckRoleExists(const std::string& name);

  Database& database_;
  std::shared_ptr<const Policy> current_ = std::make_shared<const Policy>();
};

}  // namespace culvert::store
