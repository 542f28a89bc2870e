#include "store/policy.h"

#include "base/status.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

constexpr SubjectKind kUser = SubjectKind::kUser;
constexpr SubjectKind kGroup = SubjectKind::kGroup;
using enum Permission;

Rule For(const std::string& user) { return {"default", {kUser, user}, "connect", "*", "*", ""}; }

struct PolicyFixture : StoreFixture {
  bool Allows(const Rule& rule, const Principal& who, const Request& what) const {
    return Policy({{rule}, {}, {}}).Evaluate(who, what).allowed;
  }
};

TEST_CASE_METHOD(PolicyFixture, "Policy allows nothing by default", "[policy]") {
  const Decision decision =
      Policy().Evaluate(User("alice"), {kConnect, "edge-1", "tcp", "10.0.0.1:22"});
  CHECK_FALSE(decision.allowed);
  CHECK(decision.reason == "no rule allows user alice to connect edge-1 tcp 10.0.0.1:22");
}

TEST_CASE_METHOD(PolicyFixture, "Policy lets an agent listen and accept under its own name",
                 "[policy]") {
  auto [who, permission, agent, allowed] =
      GENERATE(table<Principal, Permission, std::string, bool>({
          {Agent("edge-1"), kListen, "edge-1", true},
          {Agent("edge-1"), kAccept, "edge-1", true},
          {Agent("edge-1"), kListen, "edge-2", false},
          {Agent("edge-1"), kListen, "", false},
          {Agent("edge-1"), kConnect, "edge-1", false},
          {Agent("edge-1"), kGet, "edge-1", false},
          {User("edge-1"), kListen, "edge-1", false},
          {{"default", Role::kServiceAccount, "edge-1", Key("x")}, kAccept, "edge-1", false},
      }));
  CAPTURE(who.ToString(), agent);
  CHECK(Policy().Evaluate(who, {permission, agent, "", ""}).allowed == allowed);
}

TEST_CASE_METHOD(PolicyFixture, "Policy matches the subject by project, role, name and key",
                 "[policy]") {
  Principal elsewhere = User("alice");
  elsewhere.project = "other";
  Principal robot{"default", Role::kServiceAccount, "alice", Key("robot")};
  auto [subject, who, allowed] = GENERATE_COPY(table<Subject, Principal, bool>({
      {{kUser, "alice"}, User("alice"), true},
      {{kUser, "alice"}, User("bob"), false},
      {{kUser, "alice"}, Agent("alice"), false},
      {{kUser, "alice"}, robot, false},
      {{kUser, "alice"}, elsewhere, false},
      {{SubjectKind::kAgent, "alice"}, Agent("alice"), true},
      {{SubjectKind::kAgent, "alice"}, User("alice"), false},
      {{SubjectKind::kServiceAccount, "alice"}, robot, true},
      {{SubjectKind::kKey, Key("alice")}, User("alice"), true},
      {{SubjectKind::kKey, Key("alice")}, Agent("alice"), true},
      {{SubjectKind::kKey, Key("bob")}, User("alice"), false},
      {{kGroup, "alice"}, User("alice"), false},
  }));
  CAPTURE(subject.ToString(), who.ToString());
  Rule rule = For("");
  rule.subject = subject;
  CHECK(Allows(rule, who, {kConnect, "edge-1", "tcp", "10.0.0.1:22"}) == allowed);
}

TEST_CASE_METHOD(PolicyFixture, "Policy holds the conditions of a rule", "[policy]") {
  // Outlives the table, which is kept from one run of the case to the next.
  static constexpr const char* kV4 = "10.0.0.1:22";
  auto [agent, service, target, request, allowed] =
      GENERATE(table<std::string, std::string, std::string, Request, bool>({
          {"edge-*", "*", "", {kConnect, "edge-1", "tcp", kV4}, true},
          {"edge-*", "*", "", {kConnect, "edg", "tcp", kV4}, false},
          {"edge-?", "*", "", {kConnect, "edge-10", "tcp", kV4}, false},
          {"*", "tcp", "", {kConnect, "edge-1", "tcp", kV4}, true},
          {"*", "tcp", "", {kConnect, "edge-1", "tcp", "nonsense"}, true},
          {"*", "tcp", "", {kConnect, "edge-1", "shell", ""}, false},
          {"*", "tcp", kV4, {kConnect, "edge-1", "tcp", kV4}, true},
          {"*", "tcp", kV4, {kConnect, "edge-1", "tcp", "10.0.0.1:23"}, false},
          {"*", "tcp", kV4, {kConnect, "edge-1", "tcp", "nonsense"}, false},
          {"*", "tcp", "*:*", {kConnect, "edge-1", "tcp", "nonsense"}, false},
          {"*", "tcp", "10.0.0.0/8:22", {kConnect, "edge-1", "tcp", kV4}, true},
          {"*", "tcp", "10.0.0.0/8:22", {kConnect, "edge-1", "tcp", "[::1]:22"}, false},
          {"*", "shell", "ro*", {kConnect, "edge-1", "shell", "root"}, true},
          {"*", "shell", "ro*", {kConnect, "edge-1", "shell", "bob"}, false},
          // Those on service and target are of connect alone, those on the agent are not.
          {"edge-*", "tcp", kV4, {kGet, "edge-1", "", ""}, true},
          {"edge-*", "tcp", kV4, {kGet, "other", "", ""}, false},
          {"edge-*", "*", "", {kList, "", "", ""}, false},
          {"*", "tcp", kV4, {kList, "", "", ""}, true},
          // Not of the role.
          {"*", "*", "", {kListen, "edge-1", "", ""}, false},
          {"*", "*", "", {kCreate, "", "", ""}, false},
      }));
  CAPTURE(agent, service, target, request.agent, request.service, request.arg);
  const Rule rule{"default", {kUser, "alice"}, "connect", agent, service, target};
  REQUIRE(CheckRule(rule).ok());
  CHECK(Allows(rule, User("alice"), request) == allowed);
}

TEST_CASE_METHOD(PolicyFixture, "Policy gives a group's rules to its members", "[policy]") {
  const Group group{"default", "ops", {{kUser, "alice"}, {SubjectKind::kKey, Key("carol")}}};
  Rule rule = For("");
  rule.subject = {kGroup, "ops"};
  const Policy policy({{rule}, {group}, {}});
  const Request request{kConnect, "edge-1", "tcp", "10.0.0.1:22"};
  CHECK(policy.Evaluate(User("alice"), request).allowed);
  CHECK(policy.Evaluate(User("carol"), request).allowed);
  CHECK_FALSE(policy.Evaluate(User("bob"), request).allowed);
  CHECK_FALSE(policy.Evaluate(User("ops"), request).allowed);
  Principal elsewhere = User("alice");
  elsewhere.project = "other";
  CHECK_FALSE(policy.Evaluate(elsewhere, request).allowed);
}

TEST_CASE_METHOD(PolicyFixture, "Policy shows the agents that one may connect to or list",
                 "[policy]") {
  const Rule rule{"default", {kUser, "alice"}, "connect", "edge-*", "tcp", "10.0.0.1:22"};
  Rule serving = For("bob");
  serving.role = "agent";
  const Policy policy({{rule, serving}, {}, {}});
  CHECK(policy.MaySee(User("alice"), "edge-1"));
  CHECK_FALSE(policy.MaySee(User("alice"), "other"));
  CHECK_FALSE(policy.MaySee(User("bob"), "edge-1"));
}

TEST_CASE_METHOD(PolicyFixture, "Policy knows roles of its own and the built-in ones", "[policy]") {
  RoleDefinition watcher{"watcher", {}};
  watcher.permissions.set(static_cast<size_t>(kWatch));
  // What has a built-in role's name does not change that.
  RoleDefinition wide{"connect", PermissionSet().set()};
  Rule rule = For("alice");
  rule.role = "watcher";
  const Policy policy({{rule, For("bob")}, {}, {watcher, wide}});
  CHECK(policy.Evaluate(User("alice"), {kWatch, "", "", ""}).allowed);
  CHECK_FALSE(policy.Evaluate(User("alice"), {kConnect, "a", "tcp", ""}).allowed);
  CHECK_FALSE(policy.Evaluate(User("bob"), {kDelete, "", "", ""}).allowed);
}

TEST_CASE_METHOD(PolicyFixture, "Policy gives nothing by a role or a target that it cannot read",
                 "[policy]") {
  Rule rule = For("alice");
  rule.role = "gone";
  CHECK_FALSE(Allows(rule, User("alice"), {kConnect, "a", "tcp", "10.0.0.1:22"}));
  rule = For("alice");
  rule.service = "tcp";
  rule.target = "10.0.0.1";
  CHECK_FALSE(Allows(rule, User("alice"), {kConnect, "a", "tcp", "10.0.0.1:22"}));
}

TEST_CASE_METHOD(PolicyFixture, "Rules have their form", "[policy]") {
  auto [rule, message] = GENERATE(table<Rule, std::string>({
      {{"default", {kUser, "a b"}, "connect"}, "user \"a b\": expected 1 to 128"},
      {{"default", {SubjectKind::kKey, "abc"}, "connect"}, "key \"abc\": expected a key id"},
      {{"", {kUser, "a"}, "connect"}, "project \"\""},
      {{"default", {kUser, "a"}, ""}, "role \"\""},
      {{"default", {kUser, "a"}, "connect", "edge 1"}, "agent \"edge 1\": expected a name"},
      {{"default", {kUser, "a"}, "connect", ""}, "agent \"\""},
      {{"default", {kUser, "a"}, "connect", "*", "t*"}, "service \"t*\""},
      {{"default", {kUser, "a"}, "connect", "*", "*", "1.2.3.4:1"}, "a target needs a service"},
      {{"default", {kUser, "a"}, "connect", "*", "tcp", "1.2.3.4"}, "target \"1.2.3.4\": expected"},
      {{"default", {kUser, "a"}, "connect", "*", "shell", std::string(513, 'x')}, "at most 512"},
  }));
  CAPTURE(message);
  const absl::Status checked = CheckRule(rule);
  CHECK(absl::IsInvalidArgument(checked));
  CHECK(MessageOf(checked).find(message) != std::string_view::npos);
}

}  // namespace
}  // namespace culvert::store
