#include "store/policy_table.h"

#include "base/status.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

struct PolicyTableFixture : StoreFixture {
  PolicyTable& table() { return store->policy(); }
  bool AllowsAlice() {
    return table()
        .current()
        ->Evaluate(User("alice"), {Permission::kConnect, "edge-1", "tcp", "10.0.0.1:22"})
        .allowed;
  }
  absl::StatusOr<Change> Allow(const Rule& rule) { return table().Allow(rule, "uid 0", now); }

  const Rule kAlice = {"default",    {SubjectKind::kUser, "alice"}, "connect", "edge-*", "tcp",
                       "10.0.0.1:22"};
  const Group kOps = {"default", "ops", {{SubjectKind::kUser, "alice"}}};
};

TEST_CASE_METHOD(PolicyTableFixture, "Policy table changes the policy at once and for good",
                 "[policy_table]") {
  CHECK_FALSE(AllowsAlice());
  CHECK(*Allow(kAlice) == Change::kMade);
  CHECK(AllowsAlice());
  Reopen();
  CHECK(AllowsAlice());
  REQUIRE(table().Revoke(kAlice).ok());
  CHECK_FALSE(AllowsAlice());
  Reopen();
  CHECK_FALSE(AllowsAlice());
}

TEST_CASE_METHOD(PolicyTableFixture, "Policy table takes a rule once", "[policy_table]") {
  REQUIRE(*Allow(kAlice) == Change::kMade);
  CHECK(*Allow(kAlice) == Change::kAlreadyThere);
  const auto rules = *table().ListRules("default");
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].rule == kAlice);
  CHECK(rules[0].created == now);
  CHECK(rules[0].created_by == "uid 0");
}

TEST_CASE_METHOD(PolicyTableFixture, "Policy table revokes exactly the rule that is named",
                 "[policy_table]") {
  REQUIRE(Allow(kAlice).ok());
  Rule other = kAlice;
  other.target = "";
  const absl::Status revoked = table().Revoke(other);
  CHECK(absl::IsNotFound(revoked));
  CHECK(MessageOf(revoked) ==
        "no such rule: user alice role connect agent 'edge-*' service 'tcp'; see policy list");
  CHECK(AllowsAlice());
}

TEST_CASE_METHOD(PolicyTableFixture, "Policy table knows what a rule speaks of", "[policy_table]") {
  Rule rule = kAlice;
  rule.project = "other";
  CHECK(absl::IsNotFound(Allow(rule).status()));
  rule = kAlice;
  rule.role = "other";
  CHECK(absl::IsNotFound(Allow(rule).status()));
  rule = kAlice;
  rule.subject = {SubjectKind::kGroup, "other"};
  CHECK(absl::IsNotFound(Allow(rule).status()));
  CHECK(table().ListRules("default")->empty());
}

TEST_CASE_METHOD(PolicyTableFixture, "Policy table keeps groups and their members",
                 "[policy_table]") {
  REQUIRE(table().AddToGroup(kOps).ok());
  Rule rule = kAlice;
  rule.subject = {SubjectKind::kGroup, "ops"};
  REQUIRE(Allow(rule).ok());
  CHECK(AllowsAlice());
  CHECK(absl::IsFailedPrecondition(table().RemoveFromGroup({"default", "ops", {}})));
  REQUIRE(table().RemoveFromGroup(kOps).ok());
  CHECK_FALSE(AllowsAlice());
  CHECK(absl::IsNotFound(table().RemoveFromGroup(kOps)));
  const auto groups = *table().ListGroups("default");
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].members.empty());
  REQUIRE(table().Revoke(rule).ok());
  CHECK(table().RemoveFromGroup({"default", "ops", {}}).ok());
  CHECK(absl::IsNotFound(table().RemoveFromGroup({"default", "ops", {}})));
}

TEST_CASE_METHOD(PolicyTableFixture, "Policy table refuses a group in a group", "[policy_table]") {
  CHECK(absl::IsInvalidArgument(
      table().AddToGroup({"default", "ops", {{SubjectKind::kGroup, "others"}}})));
  CHECK(table().ListGroups("default")->empty());
}

TEST_CASE_METHOD(PolicyTableFixture, "Policy table keeps roles beside the built-in ones",
                 "[policy_table]") {
  RoleDefinition caller{"caller", {}};
  caller.permissions.set(static_cast<size_t>(Permission::kConnect));
  REQUIRE(table().AddToRole(caller).ok());
  Rule rule = kAlice;
  rule.role = "caller";
  REQUIRE(Allow(rule).ok());
  CHECK(AllowsAlice());
  CHECK(table().ListRoles()->back() == caller);
  CHECK(absl::IsFailedPrecondition(table().RemoveFromRole({"caller", {}})));
  REQUIRE(table().RemoveFromRole(caller).ok());
  CHECK_FALSE(AllowsAlice());
  REQUIRE(table().Revoke(rule).ok());
  REQUIRE(table().RemoveFromRole({"caller", {}}).ok());
  CHECK(table().ListRoles()->size() == BuiltInRoles().size());
  CHECK(absl::IsFailedPrecondition(table().AddToRole({"admin", {}})));
}

}  // namespace
}  // namespace culvert::store
