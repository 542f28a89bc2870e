#include "crypto/key.h"

#include "tests/support/catch.h"
#include "tests/support/hex.h"

namespace culvert::crypto {
namespace {

using test::FromHex;

// The key of RFC 7517, appendix A.1, as SubjectPublicKeyInfo.
const std::string kKnownKey = FromHex(
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
    "30a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e"
    "e04b65e92456d9888b52b379bdfbd51ee869ef1f0fc65b6659695b6cce081723");

TEST_CASE("A key's id is its JWK thumbprint", "[key]") {
  const auto key = PublicKey::FromDer(kKnownKey);
  REQUIRE(key.ok());
  CHECK(key->id() == "oj7yr7ldjqffpimjlj45ml7uk2jyinlnn2sepkydzmcgu3tbt7vq");
  CHECK(key->der() == kKnownKey);
  CHECK(key->x().size() == 32);
  CHECK(key->y().size() == 32);
}

TEST_CASE("PublicKey refuses what is no point of P-256", "[key]") {
  CHECK_FALSE(PublicKey::FromDer("").ok());
  CHECK_FALSE(PublicKey::FromDer(kKnownKey.substr(0, kKnownKey.size() - 1)).ok());
  std::string moved = kKnownKey;
  moved.back() = static_cast<char>(moved.back() ^ 1);
  CHECK_FALSE(PublicKey::FromDer(moved).ok());
  // secp256k1
  CHECK_FALSE(PublicKey::FromDer(
                  FromHex("3056301006072a8648ce3d020106052b8104000a03420004"
                          "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
                          "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"))
                  .ok());
}

TEST_CASE("PrivateKey survives its PEM form and signs for its public key", "[key]") {
  const PrivateKey key = PrivateKey::Generate();
  const auto read = PrivateKey::FromPem(key.Pem());
  REQUIRE(read.ok());
  CHECK(read->public_key() == key.public_key());
  const std::string signature = read->Sign("a message");
  CHECK(key.public_key().Verifies("a message", signature));
  CHECK_FALSE(key.public_key().Verifies("another message", signature));
  CHECK_FALSE(key.public_key().Verifies("a message", signature.substr(1)));
  CHECK_FALSE(PrivateKey::Generate().public_key().Verifies("a message", signature));
}

TEST_CASE("PrivateKey refuses what is no key of P-256, in one line", "[key]") {
  for (const std::string& pem : {std::string(), std::string("-----BEGIN EC PRIVATE KEY-----\n"),
                                 PrivateKey::Generate().Pem().substr(10)}) {
    const auto key = PrivateKey::FromPem(pem);
    REQUIRE_FALSE(key.ok());
    CHECK(std::string(key.status().message()).find('\n') == std::string::npos);
  }
}

}  // namespace
}  // namespace culvert::crypto
