#include "crypto/key_rotation.h"

#include <algorithm>
#include <functional>

#include "base/status.h"
#include "tests/support/catch.h"

namespace culvert::crypto {
namespace {

const SpiffeId kEdge{"culvert.internal", "default", SpiffeId::Role::kAgent, "edge-1"};
const SpiffeId kOther{"culvert.internal", "default", SpiffeId::Role::kAgent, "edge-2"};

// Keys, each of which names the next.
struct Chain {
  explicit Chain(size_t steps, const SpiffeId& id = kEdge) {
    for (size_t i = 0; i <= steps; ++i) keys.push_back(PrivateKey::Generate());
    for (size_t i = 0; i < steps; ++i) {
      statements.push_back(SignKeyRotation(keys[i], keys[i + 1].public_key(), id,
                                           FromUnixMillis(1'700'000'000'000)));
    }
  }
  std::string id(size_t i) const { return keys[i].public_key().id(); }
  absl::Status Check() const {
    return CheckKeyChain(statements, kEdge, id(0), id(keys.size() - 1));
  }

  std::vector<PrivateKey> keys;
  std::vector<KeyRotation> statements;
};

TEST_CASE("Key rotation signs five lines and nothing else", "[key_rotation]") {
  CHECK(KeyRotationText("spiffe://culvert.internal/project/p/agent/a", "old", "new", 1700000000) ==
        "culvert key rotation v1\nspiffe://culvert.internal/project/p/agent/a\nold\nnew\n"
        "1700000000\n");
  const Chain chain(1);
  const KeyRotation& statement = chain.statements[0];
  CHECK(statement.time == 1'700'000'000);
  CHECK(chain.keys[0].public_key().Verifies(
      KeyRotationText(kEdge.ToString(), chain.id(0), chain.id(1), 1'700'000'000),
      statement.signature));
}

TEST_CASE("Key rotation tells the keys of a statement that the old one signed", "[key_rotation]") {
  const Chain chain(1);
  const auto keys = CheckKeyRotation(chain.statements[0], kEdge);
  REQUIRE(keys.ok());
  CHECK(keys->old_key.id() == chain.id(0));
  CHECK(keys->new_key.id() == chain.id(1));
}

TEST_CASE("Key rotation from a key to itself is refused", "[key_rotation]") {
  const PrivateKey key = PrivateKey::Generate();
  const KeyRotation same =
      SignKeyRotation(key, key.public_key(), kEdge, FromUnixMillis(1'700'000'000'000));
  CHECK(MessageOf(CheckKeyRotation(same, kEdge).status()) == "key rotation: from a key to itself");
}

TEST_CASE("Key rotation refuses a statement of which anything was changed", "[key_rotation]") {
  const Chain chain(2);
  const std::vector<std::function<void(KeyRotation&)>> changes = {
      [&](KeyRotation& r) { r.old_key = chain.keys[2].public_key().der(); },
      [&](KeyRotation& r) { r.new_key = chain.keys[2].public_key().der(); },
      [&](KeyRotation& r) { std::swap(r.old_key, r.new_key); },
      [](KeyRotation& r) { ++r.time; },
      [](KeyRotation& r) { r.spiffe_id = kOther.ToString(); },
      [](KeyRotation& r) { r.spiffe_id += "\n"; },
      [](KeyRotation& r) { r.signature.clear(); },
      [](KeyRotation& r) { r.signature.back() = static_cast<char>(r.signature.back() ^ 1); },
      [](KeyRotation& r) { r.signature += std::string(1000, 'a'); },
      [](KeyRotation& r) { r.old_key.clear(); },
      [](KeyRotation& r) { r.new_key.pop_back(); },
      [&](KeyRotation& r) { r.signature = chain.statements[1].signature; },
  };
  for (const auto& change : changes) {
    KeyRotation statement = chain.statements[0];
    change(statement);
    CHECK(absl::IsInvalidArgument(CheckKeyRotation(statement, kEdge).status()));
  }
}

TEST_CASE("Key rotation refuses another principal's statement", "[key_rotation]") {
  const Chain chain(1, kOther);
  CHECK(CheckKeyRotation(chain.statements[0], kOther).ok());
  CHECK_FALSE(CheckKeyRotation(chain.statements[0], kEdge).ok());
  CHECK(absl::IsFailedPrecondition(chain.Check()));
}

TEST_CASE("Key chain leads from the first key to the last in any order", "[key_rotation]") {
  Chain chain(3);
  CHECK(chain.Check().ok());
  std::reverse(chain.statements.begin(), chain.statements.end());
  CHECK(chain.Check().ok());
  CHECK(CheckKeyChain({}, kEdge, chain.id(1), chain.id(1)).ok());
}

TEST_CASE("Key chain never leads back to an older key", "[key_rotation]") {
  const Chain chain(2);
  CHECK_FALSE(CheckKeyChain(chain.statements, kEdge, chain.id(2), chain.id(0)).ok());
  CHECK_FALSE(CheckKeyChain(chain.statements, kEdge, chain.id(1), chain.id(0)).ok());
}

TEST_CASE("Key chain needs every link", "[key_rotation]") {
  for (size_t missing = 0; missing < 3; ++missing) {
    Chain chain(3);
    chain.statements.erase(chain.statements.begin() + static_cast<std::ptrdiff_t>(missing));
    CHECK(absl::IsFailedPrecondition(chain.Check()));
  }
  Chain forged(3);
  forged.statements[1].signature = forged.statements[2].signature;
  CHECK(absl::IsFailedPrecondition(forged.Check()));
}

TEST_CASE("Key chain of sixteen statements is followed, and no longer one", "[key_rotation]") {
  CHECK(Chain(kMostKeyRotations).Check().ok());
  CHECK_FALSE(Chain(kMostKeyRotations + 1).Check().ok());
}

TEST_CASE("Key chain with a circle ends", "[key_rotation]") {
  Chain chain(2);
  chain.statements.push_back(
      SignKeyRotation(chain.keys[2], chain.keys[0].public_key(), kEdge, FromUnixMillis(0)));
  CHECK(chain.Check().ok());
  CHECK_FALSE(CheckKeyChain(chain.statements, kEdge, chain.id(0), std::string(52, 'a')).ok());
}

}  // namespace
}  // namespace culvert::crypto
