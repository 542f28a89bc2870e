#include "broker/admin.h"

#include "base/status.h"
#include "broker/admin_print.h"
#include "crypto/enrolment_token.h"
#include "crypto/key_rotation.h"
#include "tests/unit/broker/admin_fixture.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;

const Json kAlice = {{"kind", "user"}, {"name", "alice"}};

Json RuleFor(const Json& subject) {
  return {{"subject", subject}, {"agent", "edge-*"}, {"service", "tcp"}, {"target", "*:22"}};
}

TEST_CASE_METHOD(AdminFixture, "Admin makes a token that enrols", "[admin]") {
  const Json made =
      Result("token create", {{"role", "agent"}, {"name", "edge-1"}, {"ttl_ms", 3600000}});
  const auto token = crypto::EnrolmentToken::Parse(made["token"].get<std::string>());
  REQUIRE(token.ok());
  CHECK(token->ca_fingerprint == Key("ca"));
  CHECK(store->tokens().Use(token->secret, Key("edge-1"), store::Role::kAgent, now).ok());
  const Json list = Result("token list");
  REQUIRE(list.size() == 1);
  CHECK(list[0]["id"] == made["id"]);
  CHECK(list[0]["state"] == "used");
  CHECK(list[0]["used_by"] == Key("edge-1"));
  CHECK(list.dump().find(made["token"].get<std::string>().substr(5, 52)) == std::string::npos);
}

TEST_CASE_METHOD(AdminFixture, "Admin tells a token's state and revokes it", "[admin]") {
  const Json made = Result("token create", {{"role", "user"}, {"name", "alice"}, {"ttl_ms", 1000}});
  CHECK(Result("token list")[0]["state"] == "unused");
  now += 1s;
  CHECK(Result("token list")[0]["state"] == "expired");
  Result("token revoke", {{"id", made["id"]}});
  CHECK(Result("token list").empty());
  CHECK(absl::IsNotFound(Call("token revoke", {{"id", made["id"]}}).status()));
}

TEST_CASE_METHOD(AdminFixture, "Admin makes no token without a CA", "[admin]") {
  fingerprint = absl::FailedPreconditionError("no CA");
  const Json args = {{"role", "user"}, {"name", "alice"}, {"ttl_ms", 1000}};
  CHECK(absl::IsFailedPrecondition(Call("token create", args).status()));
  CHECK(Result("token list").empty());
  CHECK(changes.empty());
}

TEST_CASE_METHOD(AdminFixture, "Admin allows, lists and revokes rules", "[admin]") {
  CHECK(Result("policy allow", RuleFor(kAlice)) == Json{{"made", true}});
  CHECK(Result("policy allow", RuleFor(kAlice)) == Json{{"made", false}});
  const Json list = Result("policy list");
  REQUIRE(list.size() == 1);
  CHECK(list[0]["subject"] == kAlice);
  CHECK(list[0]["role"] == "connect");
  CHECK(list[0]["target"] == "*:22");
  CHECK(list[0]["created_by"] == "uid 7");
  Result("policy revoke", RuleFor(kAlice));
  CHECK(Result("policy list").empty());
  CHECK(absl::IsNotFound(Call("policy revoke", RuleFor(kAlice)).status()));
  CHECK(changes == std::vector<AdminChange>{AdminChange::kPolicy, AdminChange::kPolicy});
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == AuditKind::kPolicy);
  CHECK(events[0].principal == "uid 7");
  CHECK(events[0].reason ==
        "allowed: user alice role connect agent 'edge-*' service 'tcp' target '*:22'");
}

TEST_CASE_METHOD(AdminFixture, "Admin keeps groups", "[admin]") {
  Result("group add", {{"name", "ops"}, {"members", {kAlice, Subject("user", "bob")}}});
  Result("group remove", {{"name", "ops"}, {"members", {kAlice}}});
  const Json list = Result("group list");
  REQUIRE(list.size() == 1);
  CHECK(list[0]["members"] == Json::array({Subject("user", "bob")}));
  Result("policy allow", RuleFor(Subject("group", "ops")));
  CHECK(absl::IsFailedPrecondition(Call("group remove", {{"name", "ops"}}).status()));
  CHECK(events.size() == 3);
}

TEST_CASE_METHOD(AdminFixture, "Admin keeps roles", "[admin]") {
  Result("role add", {{"name", "caller"}, {"permissions", {"connect", "list"}}});
  Result("role remove", {{"name", "caller"}, {"permissions", {"list"}}});
  const Json caller = Result("role list").back();
  CHECK(caller["name"] == "caller");
  CHECK(caller["built_in"] == false);
  CHECK(caller["permissions"] ==
        Json::array({"services/proxies.edgelq.com/permissions/projects.connect"}));
  Result("role remove", {{"name", "caller"}});
  CHECK(Result("role list").size() == store::BuiltInRoles().size());
}

TEST_CASE_METHOD(AdminFixture, "Admin revokes all keys of a principal, or one", "[admin]") {
  store::Principal second = User("alice");
  second.key_id = Key("laptop");
  for (const store::Principal& who : {User("alice"), second, User("bob")}) {
    REQUIRE(store->principals().Record(who, "01", now + 1h, now).ok());
  }
  CHECK(Result("revoke", {{"subject", kAlice}, {"reason", "lost"}})["keys"].size() == 2);
  CHECK(store->revocations().IsRevoked(Key("laptop")));
  CHECK_FALSE(store->revocations().IsRevoked(Key("bob")));
  const Json list = Result("principal list");
  REQUIRE(list.size() == 3);
  CHECK(list[0]["revoked"] == true);
  CHECK(list[2]["revoked"] == false);
  Result("unrevoke", {{"key", Key("laptop")}});
  CHECK_FALSE(store->revocations().IsRevoked(Key("laptop")));
  Result("revoke", {{"subject", Subject("key", Key("unknown"))}});
  CHECK(store->revocations().IsRevoked(Key("unknown")));
  CHECK(absl::IsNotFound(Call("revoke", {{"subject", Subject("agent", "alice")}}).status()));
  CHECK(changes.size() == 3);
  CHECK(events.front().reason == "revoked: user alice: lost");
}

TEST_CASE_METHOD(AdminFixture, "Admin revokes by name also what waits to be signed", "[admin]") {
  store::Principal waiting = User("alice");
  waiting.key_id = Key("thief");
  REQUIRE(store->principals().Record(User("alice"), "01", now + 1h, now).ok());
  REQUIRE(store->signing_requests().Add(waiting, "request", now).ok());
  REQUIRE(store->signing_requests().Add(User("bob"), "request", now).ok());
  CHECK(Result("revoke", {{"subject", kAlice}})["keys"] ==
        Json::array({Key("alice"), Key("thief")}));
  CHECK(store->revocations().IsRevoked(Key("thief")));
  CHECK_FALSE(store->revocations().IsRevoked(Key("bob")));
  REQUIRE(store->signing_requests().Waiting()->size() == 1);
  // Who has never enrolled, but waits to.
  CHECK(Result("revoke", {{"subject", Subject("user", "bob")}})["keys"] ==
        Json::array({Key("bob")}));
}

TEST_CASE_METHOD(AdminFixture, "Admin tells the successors of a revoked key, or revokes them too",
                 "[admin]") {
  const crypto::SpiffeId alice{"culvert.internal", "default", crypto::SpiffeId::Role::kUser,
                               "alice"};
  std::vector<crypto::PrivateKey> keys;
  for (int i = 0; i < 3; ++i) keys.push_back(crypto::PrivateKey::Generate());
  const auto id = [&](size_t i) { return keys[i].public_key().id(); };
  for (const auto& [from, to] :
       {std::pair<size_t, size_t>{0, 1}, {1, 2}, {2, 0}}) {  // even in a circle
    const auto rotation = crypto::SignKeyRotation(keys[from], keys[to].public_key(), alice, now);
    REQUIRE(store->key_rotations()
                .Keep(rotation, {keys[from].public_key(), keys[to].public_key()})
                .ok());
  }
  const Json subject = Subject("key", id(0));
  const Json told = Result("revoke", {{"subject", subject}});
  CHECK(told["keys"] == Json::array({id(0)}));
  CHECK(told["successors"].size() == 2);
  const std::string text = DescribeResult("revoke", told, Format::kText);
  CHECK(text.find("key " + id(2) + " succeeded it: revoke it too") != std::string::npos);
  CHECK_FALSE(store->revocations().IsRevoked(id(1)));

  const Json all = Result("revoke", {{"subject", subject}, {"successors", true}});
  CHECK(all["keys"].size() == 3);
  CHECK(all["successors"].empty());
  CHECK(store->revocations().IsRevoked(id(1)));
  CHECK(store->revocations().IsRevoked(id(2)));
  CHECK(absl::IsInvalidArgument(
      Call("revoke", {{"subject", subject}, {"successors", "yes"}}).status()));
}

TEST_CASE_METHOD(AdminFixture, "Admin warns of a revoked key that is somebody else's too",
                 "[admin]") {
  store::Principal bob = User("bob");
  bob.key_id = Key("alice");
  for (const store::Principal& who : {User("alice"), bob}) {
    REQUIRE(store->principals().Record(who, "01", now + 1h, now).ok());
  }
  const Json told = Result("revoke", {{"subject", kAlice}});
  REQUIRE(told["shared"].size() == 1);
  CHECK(DescribeResult("revoke", told, Format::kText) ==
        "revoked " + Key("alice") + "\nwarning: key " + Key("alice") +
            " is also that of user bob of projects/default\n");
}

TEST_CASE_METHOD(AdminFixture, "Admin refuses a request that it does not understand whole",
                 "[admin]") {
  auto [command, args, message] = GENERATE(table<std::string, Json, std::string>({
      {"walk", Json::object(), "unknown command \"walk\""},
      {"token list", {{"projekt", "x"}}, "unknown argument \"projekt\""},
      {"token list", {{"project", 7}}, "project: expected a text"},
      {"token list", {{"project", "other"}}, "no project \"other\""},
      {"token list", Json::array(), "args: expected an object"},
      {"token list", "x", "args: expected an object"},
      {"token create", Json::object(), "role: expected a text"},
      {"token create",
       {{"role", "king"}, {"name", "a"}, {"ttl_ms", 1}},
       "\"king\": expected agent"},
      {"token create", {{"role", "user"}, {"name", "a/b"}, {"ttl_ms", 1}}, "user \"a/b\""},
      {"token create", {{"role", "user"}, {"name", "a"}, {"ttl_ms", 0}}, "ttl: expected"},
      {"token create", {{"role", "user"}, {"name", "a"}, {"ttl_ms", 1e300}}, "ttl_ms: expected"},
      {"token create", {{"role", "user"}, {"name", "a"}, {"ttl_ms", "1h"}}, "ttl_ms: expected"},
      {"token create", {{"role", "user"}, {"name", "a"}, {"ttl_ms", INT64_MAX}}, "ttl: expected"},
      {"token revoke", {{"id", "x"}}, "id: expected an integer"},
      {"policy allow", Json::object(), "subject: expected a kind and a name"},
      {"policy allow", {{"subject", {{"kind", "user"}}}}, "subject: expected a kind and a name"},
      {"policy allow", {{"subject", {{"kind", "cat"}, {"name", "a"}}}}, "\"cat\": expected user"},
      {"policy allow", {{"subject", kAlice}, {"target", "*:22"}}, "a target needs a service"},
      {"policy allow", {{"subject", kAlice}, {"role", 1}}, "role: expected a text"},
      {"policy allow", {{"subject", kAlice}, {"role", "none"}}, "no role \"none\""},
      {"group add", {{"name", "g"}, {"members", "alice"}}, "members: expected at most"},
      {"group add", {{"name", "g"}, {"members", {"alice"}}}, "members: expected a kind"},
      {"group add", {{"name", std::string(1025, 'x')}}, "name: longer than 1024 bytes"},
      {"role add", {{"name", "r"}, {"permissions", {"fly"}}}, "no permission \"fly\""},
      {"role add", {{"name", "admin"}}, "role \"admin\" is built in"},
      {"revoke", {{"subject", {{"kind", "group"}, {"name", "g"}}}}, "subject: expected a user"},
      {"revoke", {{"subject", {{"kind", "key"}, {"name", "k"}}}}, "key \"k\": expected a key id"},
      {"unrevoke", {{"key", "k"}}, "key \"k\": expected a key id"},
  }));
  CAPTURE(command, args.dump(), message);
  const auto result = Call(command, args);
  REQUIRE_FALSE(result.ok());
  CHECK(MessageOf(result.status()).find(message) != std::string_view::npos);
  CHECK(changes.empty());
  CHECK(events.empty());
}

TEST_CASE_METHOD(AdminFixture, "Admin answers every line with one line", "[admin]") {
  const std::string good = R"({"command":"token list","args":{}})";
  const auto answer = [this](const std::string& line) {
    return admin->HandleLine(line, {"uid 7"}, now);
  };
  CHECK(answer(good) == R"({"result":[]})");
  CHECK(*ReadAdminAnswer(answer(good)) == Json::array());
  for (const std::string& line :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"),
        std::string(R"({"command":1,"args":{}})"), std::string(R"({"command":"token list"})"),
        std::string(60000, '['), good + good, std::string("{\"command\":\"\xff\",\"args\":{}}")}) {
    CAPTURE(line);
    const std::string text = answer(line);
    CHECK(text.find('\n') == std::string::npos);
    CHECK(absl::IsInvalidArgument(ReadAdminAnswer(text).status()));
  }
}

TEST_CASE("Admin's answer is read back with its code", "[admin]") {
  const auto error = ReadAdminAnswer(R"({"error":{"code":"NOT_FOUND","message":"no rule"}})");
  CHECK(absl::IsNotFound(error.status()));
  CHECK(MessageOf(error.status()) == "no rule");
  for (const char* line : {"", "x", "[]", "{}", R"({"error":1})"}) {
    CHECK(absl::IsInternal(ReadAdminAnswer(line).status()));
  }
  // Whatever the code, it is no success.
  CHECK_FALSE(ReadAdminAnswer(R"({"error":{"code":"OK","message":"x"}})").ok());
  CHECK_FALSE(ReadAdminAnswer(R"({"error":{}})").ok());
}

TEST_CASE_METHOD(AdminFixture, "Results are printed as a table, as JSON or not at all", "[admin]") {
  Result("policy allow", RuleFor(kAlice));
  const Json list = Result("policy list");
  CHECK(DescribeResult("policy list", list, Format::kText) ==
        "SUBJECT     ROLE     AGENT   SERVICE  TARGET  SINCE\n"
        "user:alice  connect  edge-*  tcp      *:22    2023-11-14T22:13:20.000Z\n");
  CHECK(Json::parse(DescribeResult("policy list", list, Format::kJson)) == list[0]);
  CHECK(DescribeResult("policy list", Json::array(), Format::kJson).empty());
  CHECK(DescribeResult("policy allow", {{"made", true}}, Format::kText).empty());
  CHECK(DescribeResult("token create", {{"token", "cvt1-x"}}, Format::kText) == "cvt1-x\n");
  for (const char* command : {"token list", "group list", "role list", "principal list"}) {
    CHECK(DescribeResult(command, Result(command), Format::kText).find('\n') != std::string::npos);
  }
}

}  // namespace
}  // namespace culvert::broker
