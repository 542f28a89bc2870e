#include <utility>

#include "base/log.h"
#include "store/database.h"
#include "store/policy_table.h"

namespace culvert::store {
namespace {

absl::Status CheckChangeable(const RoleDefinition& role) {
  CULVERT_RETURN_IF_ERROR(CheckId("role", role.name));
  if (!IsBuiltInRole(role.name)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("role \"{}\" is built in and stays as it is: take another name", role.name));
}

absl::Status NoRole(const std::string& name) {
  return absl::NotFoundError(fmt::format("no role \"{}\"; see role list", Printable(name)));
}

absl::Status RemoveRole(Database& database, const std::string& name) {
  if (database.Finds("SELECT 1 FROM bindings WHERE role = ?", name)) {
    return absl::FailedPreconditionError(
        fmt::format("rules give role \"{}\": revoke them first; see policy list", name));
  }
  const int removed = database.Execute("DELETE FROM roles WHERE name = ?", name);
  return removed > 0 ? absl::OkStatus() : NoRole(name);
}

}  // namespace

absl::Status PolicyTable::CheckRoleExists(const std::string& name) {
  if (IsBuiltInRole(name) || database_.Finds("SELECT 1 FROM roles WHERE name = ?", name)) {
    return absl::OkStatus();
  }
  return NoRole(name);
}

absl::StatusOr<std::vector<RoleDefinition>> PolicyTable::ReadRoles() {
  SQLite::Statement row = database_.Prepare(
      "SELECT name, permission FROM roles LEFT JOIN role_permissions ON role = name ORDER BY name");
  std::vector<RoleDefinition> roles;
  while (row.executeStep()) {
    std::string name = TextAt(row, 0);
    if (roles.empty() || roles.back().name != name) roles.push_back({std::move(name), {}});
    if (row.isColumnNull(1)) continue;
    CULVERT_ASSIGN_OR_RETURN(const Permission permission, ParsePermission(TextAt(row, 1)));
    roles.back().permissions.set(static_cast<size_t>(permission));
  }
  return roles;
}

absl::Status PolicyTable::AddToRole(const RoleDefinition& added) {
  CULVERT_RETURN_IF_ERROR(CheckChangeable(added));
  return Apply("add to role", [&]() -> absl::Status {
    database_.Execute("INSERT OR IGNORE INTO roles VALUES (?)", added.name);
    for (const Permission permission : PermissionsIn(added.permissions)) {
      database_.Execute("INSERT OR IGNORE INTO role_permissions VALUES (?, ?)", added.name,
                        PermissionName(permission));
    }
    return absl::OkStatus();
  });
}

absl::Status PolicyTable::RemoveFromRole(const RoleDefinition& removed) {
  CULVERT_RETURN_IF_ERROR(CheckChangeable(removed));
  return Apply("remove from role", [&]() -> absl::Status {
    if (removed.permissions.none()) return RemoveRole(database_, removed.name);
    for (const Permission permission : PermissionsIn(removed.permissions)) {
      const int gone =
          database_.Execute("DELETE FROM role_permissions WHERE role = ? AND permission = ?",
                            removed.name, PermissionName(permission));
      if (gone > 0) continue;
      return absl::NotFoundError(fmt::format("role \"{}\" does not permit {}; see role list",
                                             removed.name, PermissionVerb(permission)));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<RoleDefinition>> PolicyTable::ListRoles() {
  using Result = absl::StatusOr<std::vector<RoleDefinition>>;
  return database_.Read<Result>("list roles", [&]() -> Result {
    std::vector<RoleDefinition> roles = BuiltInRoles();
    CULVERT_ASSIGN_OR_RETURN(const std::vector<RoleDefinition> made, ReadRoles());
    roles.insert(roles.end(), made.begin(), made.end());
    return roles;
  });
}

}  // namespace culvert::store
