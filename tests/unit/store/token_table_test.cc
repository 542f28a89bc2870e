#include "store/token_table.h"

#include "base/status.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

using namespace std::chrono_literals;

struct TokenFixture : StoreFixture {
  NewToken Make(WallTime expires) {
    const auto token = store->tokens().Create(kEdge, expires, now);
    REQUIRE(token.ok());
    return *token;
  }
  absl::StatusOr<Enrolment> Use(const NewToken& token, WallTime at) {
    return store->tokens().Use(token.secret, Key("edge-1"), Role::kAgent, at);
  }
  const Enrolment kEdge = {"default", Role::kAgent, "edge-1"};
};

TEST_CASE_METHOD(TokenFixture, "Token enrols once, also after a restart", "[token]") {
  const NewToken token = Make(now + 1h);
  const auto use_other = [&] {
    return store->tokens().Use(token.secret, Key("other"), Role::kAgent, now).status();
  };
  CHECK(*Use(token, now) == kEdge);
  CHECK(absl::IsUnauthenticated(use_other()));
  CHECK(MessageOf(use_other()).find("was used") != std::string_view::npos);
  Reopen();
  CHECK(absl::IsUnauthenticated(use_other()));
  const auto tokens = *store->tokens().List("default");
  REQUIRE(tokens.size() == 1);
  CHECK(tokens[0].used == now);
  CHECK(tokens[0].used_by == Key("edge-1"));
}

TEST_CASE_METHOD(TokenFixture, "Token answers the key that has used it again, in its time",
                 "[token]") {
  const NewToken token = Make(now + 1h);
  REQUIRE(Use(token, now).ok());
  CHECK(*Use(token, now + 1min) == kEdge);
  CHECK(store->tokens().List("default")->front().used == now);
  CHECK(absl::IsUnauthenticated(Use(token, now + 1h).status()));
}

TEST_CASE_METHOD(TokenFixture, "Token stays unused by who enrols as something else", "[token]") {
  const NewToken token = Make(now + 1h);
  const auto used = store->tokens().Use(token.secret, Key("edge-1"), Role::kUser, now);
  CHECK(absl::IsFailedPrecondition(used.status()));
  CHECK(store->tokens().Use(token.secret, Key("new"), Role::kAgent, now).ok());
}

TEST_CASE_METHOD(TokenFixture, "Token ends at its time", "[token]") {
  const NewToken token = Make(now + 1h);
  const auto late = Use(token, now + 1h);
  CHECK(absl::IsUnauthenticated(late.status()));
  CHECK(MessageOf(late.status()).find("expired") != std::string_view::npos);
  CHECK(Use(token, now + 1h - 1ms).ok());
}

TEST_CASE_METHOD(TokenFixture, "Token that nobody made is unknown", "[token]") {
  NewToken token = Make(now + 1h);
  token.secret.back() = static_cast<char>(token.secret.back() ^ 1);
  const auto used = Use(token, now);
  CHECK(absl::IsUnauthenticated(used.status()));
  CHECK(MessageOf(used.status()) == "enrolment token unknown");
  CHECK(absl::IsUnauthenticated(store->tokens().Use("", Key("x"), Role::kAgent, now).status()));
}

TEST_CASE_METHOD(TokenFixture, "Token is not used up by a revoked key or a malformed one",
                 "[token]") {
  const NewToken token = Make(now + 1h);
  REQUIRE(store->revocations().Revoke({Key("edge-1")}, "", now).ok());
  CHECK(absl::IsPermissionDenied(Use(token, now).status()));
  CHECK(absl::IsInvalidArgument(
      store->tokens().Use(token.secret, "key", Role::kAgent, now).status()));
  CHECK(store->tokens().Use(token.secret, Key("new"), Role::kAgent, now).ok());
}

TEST_CASE_METHOD(TokenFixture, "Token is not in the file that keeps it", "[token]") {
  const NewToken token = Make(now + 1h);
  const std::string secret = crypto::Base32(token.secret);
  store.reset();
  const std::string file = directory.Read("culvert.db");
  CHECK(file.find(token.secret) == std::string::npos);
  CHECK(file.find(secret) == std::string::npos);
  CHECK(file.find("edge-1") != std::string::npos);
}

TEST_CASE_METHOD(TokenFixture, "Token can be revoked while it is unused", "[token]") {
  const NewToken token = Make(now + 1h);
  REQUIRE(store->tokens().Revoke(token.id).ok());
  CHECK(absl::IsUnauthenticated(Use(token, now).status()));
  CHECK(absl::IsNotFound(store->tokens().Revoke(token.id)));
  const NewToken used = Make(now + 1h);
  REQUIRE(Use(used, now).ok());
  CHECK(absl::IsFailedPrecondition(store->tokens().Revoke(used.id)));
  CHECK(used.id > token.id);
}

TEST_CASE_METHOD(TokenFixture, "Tokens that are over are forgotten after 30 days", "[token]") {
  const NewToken used = Make(now + 24h * 365);
  REQUIRE(Use(used, now).ok());
  Make(now + 1h);
  Make(now + 24h * 60);
  now += TokenTable::kKept + 1ms;
  REQUIRE(store->tokens().Purge(now).ok());
  CHECK(store->tokens().List("default")->size() == 2);
  now += 1h;
  Reopen();
  CHECK(store->tokens().List("default")->size() == 1);
}

TEST_CASE_METHOD(TokenFixture, "Token is refused for what is no name or no time", "[token]") {
  auto [project, name, ttl] = GENERATE(table<std::string, std::string, std::chrono::hours>({
      {"default", "edge/1", 1h},
      {"default", "", 1h},
      {"a b", "edge-1", 1h},
      {"default", "edge-1", 0h},
  }));
  CHECK(absl::IsInvalidArgument(
      store->tokens().Create({project, Role::kAgent, name}, now + ttl, now).status()));
}

TEST_CASE_METHOD(TokenFixture, "Token makes the project that it is for", "[token]") {
  REQUIRE(store->tokens().Create({"lab", Role::kUser, "alice"}, now + 1h, now).ok());
  CHECK(store->tokens().List("lab")->size() == 1);
  CHECK(store->tokens().List("default")->empty());
}

}  // namespace
}  // namespace culvert::store
