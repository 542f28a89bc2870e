#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

using crypto::PrivateKey;

const crypto::SpiffeId kEdge{"culvert.internal", "default", crypto::SpiffeId::Role::kAgent,
                             "edge-1"};

struct RotationFixture : StoreFixture {
  // `from` names `to`; returns the statement.
  crypto::KeyRotation Keep(const PrivateKey& from, const PrivateKey& to) {
    crypto::KeyRotation rotation = crypto::SignKeyRotation(from, to.public_key(), kEdge, now);
    CHECK(store->key_rotations().Keep(rotation, {from.public_key(), to.public_key()}).ok());
    return rotation;
  }
  std::vector<crypto::KeyRotation> List() {
    auto list = store->key_rotations().List(kEdge);
    REQUIRE(list.ok());
    return *std::move(list);
  }
};

TEST_CASE_METHOD(RotationFixture, "Store gives key rotations back as they were signed",
                 "[key_rotation_table]") {
  const PrivateKey first = PrivateKey::Generate();
  const PrivateKey second = PrivateKey::Generate();
  const crypto::KeyRotation kept = Keep(first, second);
  Reopen();
  const auto list = List();
  REQUIRE(list.size() == 1);
  CHECK(list[0].signature == kept.signature);
  CHECK(crypto::CheckKeyRotation(list[0], kEdge).ok());
  crypto::SpiffeId other = kEdge;
  other.name = "edge-2";
  CHECK(store->key_rotations().List(other)->empty());
}

TEST_CASE_METHOD(RotationFixture, "Store keeps one statement for two keys, the latest",
                 "[key_rotation_table]") {
  const PrivateKey first = PrivateKey::Generate();
  const PrivateKey second = PrivateKey::Generate();
  Keep(first, second);
  now += std::chrono::minutes(1);
  const crypto::KeyRotation latest = Keep(first, second);
  REQUIRE(List().size() == 1);
  CHECK(List()[0].time == latest.time);
}

TEST_CASE_METHOD(RotationFixture, "Store keeps the last sixteen key rotations of a principal",
                 "[key_rotation_table]") {
  PrivateKey key = PrivateKey::Generate();
  std::vector<std::string> signatures;
  for (size_t i = 0; i < crypto::kMostKeyRotations + 2; ++i) {
    const PrivateKey next = PrivateKey::Generate();
    signatures.push_back(Keep(key, next).signature);
    key = next;
  }
  const auto list = List();
  REQUIRE(list.size() == crypto::kMostKeyRotations);
  CHECK(list.front().signature == signatures[2]);
  CHECK(list.back().signature == signatures.back());
}

TEST_CASE_METHOD(RotationFixture, "Store tells no key rotation that a revoked key has a part in",
                 "[key_rotation_table]") {
  const PrivateKey first = PrivateKey::Generate();
  const PrivateKey second = PrivateKey::Generate();
  const PrivateKey third = PrivateKey::Generate();
  Keep(first, second);
  const std::string last = Keep(second, third).signature;
  REQUIRE(store->revocations().Revoke({first.public_key().id()}, "", now).ok());
  REQUIRE(List().size() == 1);
  CHECK(List()[0].signature == last);
  REQUIRE(store->revocations().Revoke({third.public_key().id()}, "", now).ok());
  CHECK(List().empty());
}

}  // namespace
}  // namespace culvert::store
