#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

struct SigningFixture : StoreFixture {
  SigningTable& table() { return store->signing_requests(); }
  size_t waiting() { return table().Waiting()->size(); }
  // Another key of alice's.
  static Principal Alice(const std::string& key) {
    return {"default", Role::kUser, "alice", Key(key)};
  }
};

TEST_CASE_METHOD(SigningFixture, "Store keeps a request until it is signed, and the certificate",
                 "[signing_table]") {
  REQUIRE(table().Add(Agent("edge-1"), "request", now).ok());
  Reopen();
  REQUIRE(waiting() == 1);
  CHECK(table().Waiting()->at(0).principal == Agent("edge-1"));
  CHECK(table().Waiting()->at(0).request == "request");
  REQUIRE(table().Sign(Key("edge-1"), "certificate").ok());
  CHECK(waiting() == 0);
  CHECK((*table().Find(Key("edge-1")))->certificate == "certificate");
  CHECK(absl::IsNotFound(table().Sign(Key("edge-2"), "certificate")));
}

TEST_CASE_METHOD(SigningFixture, "Store keeps one request for a key", "[signing_table]") {
  REQUIRE(table().Add(Alice("a"), "first", now).ok());
  REQUIRE(table().Sign(Key("a"), "certificate").ok());
  REQUIRE(table().Add(Alice("a"), "second", now).ok());
  REQUIRE(waiting() == 1);
  CHECK(table().Waiting()->at(0).request == "second");
}

TEST_CASE_METHOD(SigningFixture, "Store drops the oldest requests of who asks for many keys",
                 "[signing_table]") {
  REQUIRE(table().Add(Agent("edge-1"), "request", now).ok());
  for (int i = 0; i < 10; ++i) {
    REQUIRE(table().Add(Alice(std::to_string(i)), "request", now).ok());
  }
  CHECK(waiting() == 1 + SigningTable::kMostWaitingOfOne);
  CHECK((*table().Find(Key("9"))).has_value());
  CHECK_FALSE((*table().Find(Key("0"))).has_value());
}

TEST_CASE_METHOD(SigningFixture, "Store forgets requests after thirty days", "[signing_table]") {
  REQUIRE(table().Add(Alice("a"), "request", now).ok());
  now += SigningTable::kKept + std::chrono::seconds(1);
  Reopen();
  CHECK(waiting() == 0);
}

TEST_CASE_METHOD(SigningFixture, "Store has nothing signed for a revoked key", "[signing_table]") {
  REQUIRE(table().Add(Alice("a"), "request", now).ok());
  REQUIRE(store->revocations().Revoke({Key("a")}, "", now).ok());
  CHECK(waiting() == 0);
}

TEST_CASE_METHOD(SigningFixture, "Token can be repeated after its time while its key waits",
                 "[signing_table]") {
  const auto token =
      store->tokens().Create({"default", Role::kUser, "alice"}, now + std::chrono::hours(1), now);
  REQUIRE(token.ok());
  REQUIRE(store->tokens().Use(token->secret, Key("a"), Role::kUser, now).ok());
  REQUIRE(table().Add(Alice("a"), "request", now).ok());
  now += std::chrono::hours(2);
  CHECK(store->tokens().Use(token->secret, Key("a"), Role::kUser, now).ok());
  CHECK(absl::IsUnauthenticated(
      store->tokens().Use(token->secret, Key("b"), Role::kUser, now).status()));
  // Waiting makes no token usable that was not used in time.
  const auto late =
      store->tokens().Create({"default", Role::kUser, "alice"}, now + std::chrono::hours(1), now);
  now += std::chrono::hours(2);
  CHECK(absl::IsUnauthenticated(
      store->tokens().Use(late->secret, Key("a"), Role::kUser, now).status()));
}

}  // namespace
}  // namespace culvert::store
