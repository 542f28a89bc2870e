#include "crypto/jwk.h"

#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "tests/support/catch.h"
#include "tests/support/jwt_signer.h"

namespace culvert::crypto {
namespace {

using Catch::Matchers::Contains;
using test::JwtSigner;
using test::KeySet;
using Kind = JwtSigner::Kind;

// RFC 7638 §3.1.
constexpr char kRfc7638Key[] =
    R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFF)"
    R"(xuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-)"
    R"(65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF)"
    R"(TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"A)"
    R"(QAB","alg":"RS256","kid":"2011-04-29"})";

TEST_CASE("JWK has the thumbprint of RFC 7638", "[jwk]") {
  const auto jwk = Jwk::FromJson(kRfc7638Key);
  REQUIRE(jwk.ok());
  CHECK(jwk->id == "2011-04-29");
  CHECK(jwk->key.algorithm() == JwsAlgorithm::kRs256);
  CHECK(jwk->key.thumbprint() ==
        Base32(*FromBase64Url("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")));
}

TEST_CASE("JWK of P-256 has the id that the key has in a certificate", "[jwk]") {
  const PublicKey key = PrivateKey::Generate().public_key();
  const auto jws = JwsKey::FromPoint(key.x(), key.y());
  REQUIRE(jws.ok());
  CHECK(jws->thumbprint() == key.id());
}

TEST_CASE("JWK comes back from its text, and from a PEM of its key", "[jwk]") {
  const JwtSigner signer(GENERATE(Kind::kEc, Kind::kRsa));
  const auto jwk = Jwk::FromJson(signer.Jwk("one"));
  REQUIRE(jwk.ok());
  const auto again = Jwk::FromJson(jwk->ToJson());
  REQUIRE(again.ok());
  CHECK(again->id == "one");
  CHECK(again->key == jwk->key);
  const auto from_pem = JwsKey::FromPem(signer.PublicPem());
  REQUIRE(from_pem.ok());
  CHECK(*from_pem == jwk->key);
}

TEST_CASE("JWK that cannot be used is refused in words", "[jwk]") {
  const std::string x(43, 'A');
  const auto [json, words] = GENERATE_COPY(table<std::string, std::string>({
      {"", "not JSON"},
      {"[]", "no JSON object"},
      {"{}", "expected a key of P-256 or RSA"},
      {R"({"kty":"oct","k":"AAAA"})", "expected a key of P-256 or RSA"},
      {R"({"kty":"EC","crv":"P-384","x":"AAAA","y":"AAAA"})", "expected a key of P-256 or RSA"},
      {R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})", "32 bytes"},
      {R"({"kty":"EC","crv":"P-256","x":")" + x + R"(","y":")" + x + "\"}", "not a point"},
      {R"({"kty":"EC","crv":"P-256","x":1,"y":"AAAA"})", "x is no text"},
      {R"({"kty":"EC","crv":"P-256","x":"AA==","y":"AAAA"})", "x is no number"},
      {R"({"kty":"EC","kty":"RSA"})", "there twice"},
      {R"({"kty":"RSA","n":"AQAB","e":"AQAB"})", "RSA key of 17 bits"},
      {R"({"kty":"RSA","n":"AAEAAQ","e":"AQAB"})", "a size that is not taken"},
      {R"({"kty":"RSA","n":"AQAB"})", "e is no number"},
      {R"({"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}})", "nested too deep"},
  }));
  CAPTURE(json);
  const auto jwk = Jwk::FromJson(json);
  REQUIRE(absl::IsInvalidArgument(jwk.status()));
  CHECK_THAT(std::string(MessageOf(jwk.status())), Contains(words));
}

TEST_CASE("RSA key is refused where its numbers are too small or too large", "[jwk]") {
  const std::string usual("\x01\x00\x01", 3);
  const std::string modulus = std::string(1, '\x81') + std::string(254, '\x55') + "\x01";
  CHECK(JwsKey::FromRsa(modulus, usual).ok());
  CHECK_FALSE(JwsKey::FromRsa(modulus, "\x03").ok());
  CHECK_FALSE(JwsKey::FromRsa(modulus, std::string("\x01\x00\x02", 3)).ok());  // even
  CHECK_FALSE(JwsKey::FromRsa(modulus, std::string("\x01\x00\x00\x00\x01", 5)).ok());
  CHECK_FALSE(JwsKey::FromRsa(modulus.substr(1), usual).ok());
  const std::string longest = std::string(1023, '\x81') + "\x01";
  CHECK(JwsKey::FromRsa(longest, usual).ok());
  CHECK_FALSE(JwsKey::FromRsa("\x01" + longest, usual).ok());
}

TEST_CASE("PEM that is no public key of P-256 or RSA is refused", "[jwk]") {
  const JwtSigner small(Kind::kRsa, 1024);
  CHECK_FALSE(JwsKey::FromPem(small.PublicPem()).ok());
  const JwtSigner signer(Kind::kEc);
  CHECK_FALSE(JwsKey::FromPem(signer.PrivatePem()).ok());
  CHECK_FALSE(JwsKey::FromPem("").ok());
  CHECK_FALSE(JwsKey::FromPem(std::string(20'000, 'A')).ok());
}

TEST_CASE("JWK set leaves out keys of other kinds and uses", "[jwk]") {
  const JwtSigner signer(Kind::kEc);
  const std::string key = signer.Jwk("good");
  const auto with = [&key](const std::string& member) {
    return "{" + member + "," + key.substr(1);
  };
  std::string others = R"({"kty":"oct","k":"AAAA","kid":"secret"},{"kty":"OKP","crv":"Ed25519"},)";
  // Odd or too weak.
  const std::string weak = std::string(170, '_') + "8";  // 1024 bits
  others += R"({"kty":"RSA","kid":"weak","e":"AQAB","n":")" + weak + "\"},";
  others += R"({"kty":"RSA","kid":"three","e":"Aw","n":")" + std::string(341, '_') + "w\"},";
  others += R"({"kty":"EC","crv":"P-256","kid":"nowhere","x":"AAAA","y":"AAAA"},)";
  others +=
      with(R"("use":"enc")") + "," + with(R"("key_ops":["sign"])") + "," + with(R"("alg":"ES384")");
  const auto set = JwkSet::FromJson(KeySet(others + "," + with(R"("use":"sig","alg":"ES256")")));
  REQUIRE(set.ok());
  REQUIRE(set->keys().size() == 1);
  CHECK(set->Find("good", "ES256") == set->keys().data());
  CHECK(set->Find("secret", "ES256") == nullptr);
  CHECK(set->Find("good", "RS256") == nullptr);
  CHECK(set->Has("good"));
  CHECK(set->Has(std::nullopt));
  CHECK_FALSE(set->Has("secret"));
  CHECK_FALSE(JwkSet().Has(std::nullopt));
}

TEST_CASE("JWK set tells a key without a name only where there is one", "[jwk]") {
  const JwtSigner first(Kind::kEc);
  const JwtSigner second(Kind::kEc);
  const JwtSigner rsa(Kind::kRsa);
  const auto one = JwkSet::FromJson(KeySet(first.Jwk("") + "," + rsa.Jwk("r")));
  REQUIRE(one.ok());
  CHECK(one->Find(std::nullopt, "ES256") == one->keys().data());
  CHECK(one->Find(std::nullopt, "RS256") == &one->keys()[1]);
  const auto two = JwkSet::FromJson(KeySet(first.Jwk("a") + "," + second.Jwk("b")));
  REQUIRE(two.ok());
  CHECK(two->Find(std::nullopt, "ES256") == nullptr);
  CHECK(two->Find("b", "ES256") == &two->keys()[1]);
}

TEST_CASE("JWK set that cannot be used is refused in words", "[jwk]") {
  const JwtSigner signer(Kind::kEc);
  std::string many;
  for (size_t i = 0; i <= JwkSet::kMostKeys; ++i) many += (i == 0 ? "" : ",") + std::string("{}");
  const auto [json, words] = GENERATE_COPY(table<std::string, std::string>({
      {"{}", "expected an object with a list"},
      {KeySet(""), "no key for ES256"},
      {KeySet("1"), "no object"},
      {KeySet(signer.Jwk("a") + "," + signer.Jwk("a")), "two keys of one kid"},
      {KeySet(R"({"d":"AAAA",)" + signer.Jwk("a").substr(1)), "a private key"},
      {KeySet(many), "more than 100 keys"},
      {std::string(JwkSet::kMostBytes + 1, ' '), "more than 262144 bytes"},
      {KeySet("") + "x", "not JSON"},
      {KeySet(signer.Jwk("a")) + std::string(1, '\0'), "not JSON"},
      {KeySet(signer.Jwk("a")) + std::string("\0x", 2), "not JSON"},
  }));
  const auto set = JwkSet::FromJson(json);
  REQUIRE(absl::IsInvalidArgument(set.status()));
  CHECK_THAT(std::string(MessageOf(set.status())), Contains(words));
}

}  // namespace
}  // namespace culvert::crypto
