#include "store/permission.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/log.h"

namespace culvert::store {
namespace {

constexpr std::string_view kPrefix = "services/proxies.edgelq.com/permissions/projects.";

// In the order of the enum.
constexpr std::array<std::string_view, kPermissions> kVerbs = {
    "connect", "listen", "accept", "get",    "batchGet",
    "list",    "watch",  "create", "update", "delete"};

PermissionSet SetOf(std::initializer_list<Permission> permissions) {
  PermissionSet set;
  for (const Permission permission : permissions) set.set(static_cast<size_t>(permission));
  return set;
}

}  // namespace

std::string_view PermissionVerb(Permission permission) {
  return kVerbs.at(static_cast<size_t>(permission));
}

std::string PermissionName(Permission permission) {
  return std::string(kPrefix).append(PermissionVerb(permission));
}

absl::StatusOr<Permission> ParsePermission(std::string_view text) {
  std::string_view verb = text;
  if (verb.substr(0, kPrefix.size()) == kPrefix) verb.remove_prefix(kPrefix.size());
  const auto* const found = std::find(kVerbs.begin(), kVerbs.end(), verb);
  if (found != kVerbs.end()) return static_cast<Permission>(found - kVerbs.begin());
  return absl::InvalidArgumentError(
      fmt::format("no permission \"{}\": expected {}", Printable(text), fmt::join(kVerbs, ", ")));
}

std::vector<Permission> PermissionsIn(const PermissionSet& set) {
  std::vector<Permission> permissions;
  for (size_t i = 0; i < kPermissions; ++i) {
    if (set.test(i)) permissions.push_back(static_cast<Permission>(i));
  }
  return permissions;
}

const std::vector<RoleDefinition>& BuiltInRoles() {
  using enum Permission;
  static const auto* const roles = new std::vector<RoleDefinition>{
      {"connect", SetOf({kConnect, kGet, kBatchGet, kList, kWatch})},
      {"agent", SetOf({kListen, kAccept})},
      {"admin", PermissionSet().set()},
      {"projects-viewer", SetOf({kGet, kBatchGet, kList, kWatch}), true},
      {"projects-admin", SetOf({kGet, kBatchGet, kList, kWatch, kCreate, kUpdate, kDelete}), true},
  };
  return *roles;
}

bool IsBuiltInRole(std::string_view name) {
  const std::vector<RoleDefinition>& roles = BuiltInRoles();
  return std::any_of(roles.begin(), roles.end(),
                     [name](const RoleDefinition& role) { return role.name == name; });
}

}  // namespace culvert::store
