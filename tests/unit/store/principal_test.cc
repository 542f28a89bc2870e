#include "store/principal.h"

#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

TEST_CASE("Principal is made of a certificate's identity and its key", "[principal]") {
  const auto id = crypto::SpiffeId::Parse("spiffe://example.org/project/lab/agent/edge-1");
  const Principal principal = Principal::From(*id, StoreFixture::Key("edge-1"));
  CHECK(principal == Principal{"lab", Role::kAgent, "edge-1", StoreFixture::Key("edge-1")});
  CHECK(CheckPrincipal(principal).ok());
}

TEST_CASE("Principal has a project, a name and a key id", "[principal]") {
  const Principal principal = GENERATE(Principal{"", Role::kUser, "a", StoreFixture::Key("a")},
                                       Principal{"p", Role::kUser, "", StoreFixture::Key("a")},
                                       Principal{"p", Role::kUser, "a", "key"});
  CHECK(absl::IsInvalidArgument(CheckPrincipal(principal)));
}

TEST_CASE("Roles have names", "[principal]") {
  for (const Role role : {Role::kAgent, Role::kUser, Role::kServiceAccount}) {
    CHECK(*ParseRole(RoleName(role)) == role);
  }
  CHECK_FALSE(ParseRole("admin").ok());
}

}  // namespace
}  // namespace culvert::store
