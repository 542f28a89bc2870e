#include "crypto/digest.h"

#include "tests/support/catch.h"

namespace culvert::crypto {
namespace {

std::string Hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

TEST_CASE("Sha256 gives the digests of FIPS 180-4", "[digest]") {
  CHECK(Hex(Sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Hex(Sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("HmacSha256 gives the codes of RFC 4231", "[digest]") {
  CHECK(Hex(HmacSha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(Hex(HmacSha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(Hex(HmacSha256(std::string(131, '\xaa'),
                       "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("Base32 and Base64Url encode as RFC 4648 says, without padding", "[digest]") {
  CHECK(Base32("").empty());
  CHECK(Base32("f") == "my");
  CHECK(Base32("fo") == "mzxq");
  CHECK(Base32("foo") == "mzxw6");
  CHECK(Base32("foob") == "mzxw6yq");
  CHECK(Base32("fooba") == "mzxw6ytb");
  CHECK(Base32("foobar") == "mzxw6ytboi");
  CHECK(Base64Url("f") == "Zg");
  CHECK(Base64Url("fo") == "Zm8");
  CHECK(Base64Url("foobar") == "Zm9vYmFy");
  CHECK(Base64Url("\xfb\xff") == "-_8");
}

TEST_CASE("ConstantTimeEqual compares like ==", "[digest]") {
  CHECK(ConstantTimeEqual("", ""));
  CHECK(ConstantTimeEqual("secret", "secret"));
  CHECK_FALSE(ConstantTimeEqual("secret", "secreT"));
  CHECK_FALSE(ConstantTimeEqual("secret", "secre"));
}

}  // namespace
}  // namespace culvert::crypto
