// What a principal may be allowed to do in a project.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace culvert::store {

enum class Permission {
  kConnect,
  kListen,
  kAccept,
  kGet,
  kBatchGet,
  kList,
  kWatch,
  kCreate,
  kUpdate,
  kDelete,
};
inline constexpr size_t kPermissions = 10;

using PermissionSet = std::bitset<kPermissions>;

inline bool Has(const PermissionSet& set, Permission permission) {
  return set.test(static_cast<size_t>(permission));
}

// "services/proxies.edgelq.com/permissions/projects.connect"
std::string PermissionName(Permission permission);
// "connect"
std::string_view PermissionVerb(Permission permission);
// Either form.
absl::StatusOr<Permission> ParsePermission(std::string_view text);
std::vector<Permission> PermissionsIn(const PermissionSet& set);

// A name for some permissions.
struct RoleDefinition {
  std::string name;
  PermissionSet permissions;
  // Whether they hold in all projects, for subjects of the rule's; built-in ones only.
  bool all_projects = false;
  friend bool operator==(const RoleDefinition&, const RoleDefinition&) = default;
};

// The roles that are always there and cannot be changed: connect (connect, get, batchGet, list,
// watch), agent (listen, accept), admin (everything); and in all projects projects-viewer (get,
// batchGet, list, watch) and projects-admin (these, create, update, delete).
const std::vector<RoleDefinition>& BuiltInRoles();
bool IsBuiltInRole(std::string_view name);

}  // namespace culvert::store
