#include "crypto/aead.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/hex.h"

namespace culvert::crypto {
namespace {

using test::FromHex;

struct AeadFixture {
  AeadFixture() {
    const std::string key_bytes =
        FromHex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    std::copy(key_bytes.begin(), key_bytes.end(), key.data());
    const std::string nonce_bytes = FromHex("cafebabefacedbaddecaf888");
    std::copy(nonce_bytes.begin(), nonce_bytes.end(), nonce.begin());
  }

  AeadKey key;
  AeadNonce nonce;
};

// Test case 16 of "The Galois/Counter Mode of Operation (GCM)", NIST.
TEST_CASE_METHOD(AeadFixture, "AeadSeal gives what NIST's test case says", "[aead]") {
  const std::string authenticated = FromHex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const std::string plaintext = FromHex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
      "b525b16aedf5aa0de657ba637b39");
  const std::string sealed = FromHex(
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682"
      "8838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
  CHECK(AeadSeal(key, nonce, authenticated, plaintext) == sealed);
  CHECK(AeadOpen(key, nonce, authenticated, sealed) == plaintext);
}

TEST_CASE_METHOD(AeadFixture, "AeadOpen refuses what was changed", "[aead]") {
  const std::string sealed = AeadSeal(key, nonce, "context", "secret");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] ^= 1;
    CHECK_FALSE(AeadOpen(key, nonce, "context", changed));
  }
  CHECK_FALSE(AeadOpen(key, nonce, "contexT", sealed));
  CHECK_FALSE(AeadOpen(key, nonce, "context", sealed.substr(1)));
  CHECK_FALSE(AeadOpen(key, nonce, "context", ""));
  AeadNonce other = nonce;
  other[0] ^= 1;
  CHECK_FALSE(AeadOpen(key, other, "context", sealed));
}

TEST_CASE_METHOD(AeadFixture, "AeadSeal seals nothing too", "[aead]") {
  const std::string sealed = AeadSeal(key, nonce, "", "");
  CHECK(sealed.size() == kAeadTagBytes);
  CHECK(AeadOpen(key, nonce, "", sealed) == "");
}

}  // namespace
}  // namespace culvert::crypto
