#include "broker/leases.h"

#include <set>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/unit/broker/data_owners.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;

const MonotonicTime kStart = MonotonicTime(1h);

TEST_CASE("A lease is good once, for who it was granted to", "[leases]") {
  Leases leases;
  const auto granted = leases.Grant(kAgent, 2, 0, kStart);
  REQUIRE(granted.size() == 2);
  CHECK(granted[0].token.size() == Leases::kTokenBytes);
  CHECK(granted[0].token != granted[1].token);
  const auto leased = leases.Redeem(granted[0].token, kStart);
  REQUIRE(leased);
  CHECK(leased->owner == kAgent);
  CHECK(leased->parked_id == granted[0].parked_id);
  CHECK_FALSE(leases.Redeem(granted[0].token, kStart));
  CHECK(leases.Redeem(granted[1].token, kStart));
  CHECK(leases.size() == 0);
}

TEST_CASE("A lease is good for ten seconds", "[leases]") {
  Leases leases;
  const auto granted = leases.Grant(kAgent, 2, 0, kStart);
  CHECK(leases.Redeem(granted[0].token, kStart + 10s - 1ns));
  CHECK_FALSE(leases.Redeem(granted[1].token, kStart + 10s));
  CHECK(leases.size() == 0);
}

TEST_CASE("A token that was never granted is worth nothing", "[leases]") {
  Leases leases;
  const auto granted = leases.Grant(kAgent, 1, 0, kStart);
  std::string token = granted[0].token;
  token[31] = static_cast<char>(token[31] ^ 1);
  CHECK_FALSE(leases.Redeem(token, kStart));
  CHECK_FALSE(leases.Redeem(granted[0].token.substr(1), kStart));
  CHECK_FALSE(leases.Redeem("", kStart));
}

TEST_CASE("A principal has 16 leases and parked sockets together", "[leases]") {
  Leases leases;
  CHECK(leases.Grant(kAgent, 4'000'000'000, 0, kStart).size() == 16);
  DataOwner other_session = kAgent;
  other_session.id = 8;
  CHECK(leases.Grant(other_session, 1, 0, kStart).empty());
  CHECK(leases.Grant(kUser, 20, 10, kStart).size() == 6);
  CHECK(leases.Grant(kUser, 20, 20, kStart).empty());
  // What is too late does not count.
  CHECK(leases.Grant(other_session, 20, 3, kStart + 10s).size() == 13);
  CHECK(leases.Grant(other_session, 0, 0, kStart + 10s).empty());
}

TEST_CASE("Leases are bounded in all", "[leases]") {
  Leases leases({.per_principal = 16, .most = 20});
  CHECK(leases.Grant(kAgent, 16, 0, kStart).size() == 16);
  CHECK(leases.Grant(kUser, 16, 0, kStart).size() == 4);
  CHECK(leases.size() == 20);
}

TEST_CASE("Leases of an owner that is gone are worth nothing, those of its like are", "[leases]") {
  Leases leases;
  const auto gone = leases.Grant(kAgent, 2, 0, kStart);
  const auto stays = leases.Grant(kUser, 1, 0, kStart);  // the same id, another principal
  leases.Forget(kAgent);
  CHECK_FALSE(leases.Redeem(gone[0].token, kStart));
  CHECK_FALSE(leases.Redeem(gone[1].token, kStart));
  CHECK(leases.Redeem(stays[0].token, kStart));
  CHECK(leases.Grant(kAgent, 16, 0, kStart).size() == 16);
}

TEST_CASE("An owner that goes costs what it has, not what all have", "[leases]") {
  Leases leases;
  std::vector<DataOwner> owners;
  for (uint64_t id = 1; leases.size() < Leases::Limits().most; ++id) {
    owners.push_back({"agent " + std::to_string(id), DataOwner::Role::kProvider, id});
    REQUIRE(leases.Grant(owners.back(), 16, 0, kStart).size() == 16);
  }
  // The newest first: those before it would all have to be passed over.
  const MonotonicTime start = MonotonicNow();
  for (auto owner = owners.rbegin(); owner != owners.rend(); ++owner) leases.Forget(*owner);
  const Duration took = MonotonicNow() - start;
  CHECK(leases.size() == 0);
  INFO(ToSeconds(took) << " s");
  CHECK(took < 2s);
}

}  // namespace
}  // namespace culvert::broker
