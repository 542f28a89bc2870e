#include "crypto/enrolment_token.h"

#include "crypto/digest.h"
#include "tests/support/catch.h"

namespace culvert::crypto {
namespace {

const std::string kSecret(EnrolmentToken::kSecretBytes, '\x01');

std::string TokenText() { return EnrolmentToken{kSecret, Base32(Sha256("ca"))}.ToString(); }

TEST_CASE("Enrolment token comes back from its text", "[enrolment_token]") {
  CHECK(TokenText().size() == 110);
  CHECK(*EnrolmentToken::Parse(TokenText()) == EnrolmentToken{kSecret, Base32(Sha256("ca"))});
}

TEST_CASE("Enrolment token has one spelling", "[enrolment_token]") {
  std::string last_bit = TokenText();
  REQUIRE((last_bit.back() == 'a' || last_bit.back() == 'q'));
  last_bit.back() = 'b';
  std::string upper = TokenText();
  upper[0] = 'C';
  std::string zero = TokenText();
  zero[10] = '0';
  std::string no_dash = TokenText();
  no_dash[57] = 'a';
  for (const std::string& text :
       {std::string(), std::string("cvt1-"), TokenText() + "\n", " " + TokenText(),
        TokenText() + "a", TokenText().substr(0, 109), "cvt2" + TokenText().substr(4), last_bit,
        upper, zero, no_dash, std::string(100000, 'a')}) {
    CAPTURE(text);
    CHECK(absl::IsInvalidArgument(EnrolmentToken::Parse(text).status()));
  }
}

TEST_CASE("Enrolment token that cannot be read is not in the message", "[enrolment_token]") {
  const std::string text = TokenText() + "x";
  CHECK(EnrolmentToken::Parse(text).status().ToString().find(text.substr(5, 20)) ==
        std::string::npos);
}

TEST_CASE("Base32 is read back, and only in the form that it is written in", "[digest]") {
  std::string bytes;
  for (int size = 0; size < 40; ++size) {
    CHECK(FromBase32(Base32(bytes)) == bytes);
    bytes += static_cast<char>(size * 37 + 200);
  }
  for (const char* text : {"a", "ab", "MY", "my======", "mz", "m1", "aaa", "aaaaaa"}) {
    CAPTURE(text);
    CHECK_FALSE(FromBase32(text).has_value());
  }
}

TEST_CASE("Key id is the Base32 of 32 bytes", "[digest]") {
  CHECK(IsKeyId(Base32(Sha256("x"))));
  CHECK_FALSE(IsKeyId(Base32(Sha256("x")) + "a"));
  CHECK_FALSE(IsKeyId(Base32(Sha256("x").substr(1))));
  CHECK_FALSE(IsKeyId(std::string(52, 'b')));
  CHECK_FALSE(IsKeyId(""));
}

}  // namespace
}  // namespace culvert::crypto
