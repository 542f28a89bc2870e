#include "store/permission.h"

#include "tests/support/catch.h"

namespace culvert::store {
namespace {

TEST_CASE("Permissions have a full name and a short one", "[permission]") {
  for (const Permission permission : PermissionsIn(PermissionSet().set())) {
    CHECK(*ParsePermission(PermissionName(permission)) == permission);
    CHECK(*ParsePermission(PermissionVerb(permission)) == permission);
  }
  CHECK(PermissionName(Permission::kBatchGet) ==
        "services/proxies.edgelq.com/permissions/projects.batchGet");
  for (const char* text : {"", "Connect", "projects.connect", "services/x/projects.connect"}) {
    CHECK(absl::IsInvalidArgument(ParsePermission(text).status()));
  }
}

}  // namespace
}  // namespace culvert::store
