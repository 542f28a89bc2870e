#include "crypto/jwt.h"

#include <fmt/format.h>

#include "base/status.h"
#include "crypto/digest.h"
#include "tests/support/catch.h"
#include "tests/support/jwt_signer.h"

namespace culvert::crypto {
namespace {

using Catch::Matchers::Contains;
using test::Claims;
using test::JwtSigner;
using test::KeySet;
using Kind = JwtSigner::Kind;
using Form = JwtSigner::Form;

constexpr char kIssuer[] = "https://issuer.example";

JwkSet Keys(const std::string& jwks) {
  auto set = JwkSet::FromJson(KeySet(jwks));
  REQUIRE(set.ok());
  return *std::move(set);
}

std::string Good() { return Claims(kIssuer, "alice", "culvert"); }

// The whole way; the message of whatever refused the token.
std::string Refusal(const std::string& token, const JwkSet& keys) {
  const auto jwt = Jwt::Parse(token);
  if (!jwt.ok()) return std::string(MessageOf(jwt.status()));
  const auto claims = jwt->Verify(keys);
  if (!claims.ok()) return std::string(MessageOf(claims.status()));
  return std::string(MessageOf(CheckClaims(*claims, {kIssuer, {"culvert"}, {}}, WallNow())));
}

constexpr char kRfc7515Payload[] =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

// RFC 7515, appendices A.2 and A.3.
TEST_CASE("JWT of RFC 7515 is verified", "[jwt]") {
  const auto [key, header, signature] = GENERATE(table<std::string, std::string, std::string>({
      {R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-)"
       R"(4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7O)"
       R"(Mg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb)"
       R"(3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4)"
       R"(FRWyuXpoQ","e":"AQAB"})",
       "eyJhbGciOiJSUzI1NiJ9",
       "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2F"
       "p5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB"
       "MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeY"
       "I2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
      {R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
       R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})",
       "eyJhbGciOiJFUzI1NiJ9",
       "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
  }));
  const auto jwt = Jwt::Parse(fmt::format("{}.{}.{}", header, kRfc7515Payload, signature));
  REQUIRE(jwt.ok());
  const auto claims = jwt->Verify(Keys(key));
  REQUIRE(claims.ok());
  CHECK(claims->issuer == "joe");
  const WallTime end = FromUnixMillis(int64_t{1'300'819'380} * 1000);
  CHECK(claims->expires == end);
  CHECK(CheckClaims(*claims, {"joe", {}, {}}, end) ==
        absl::UnauthenticatedError("JWT: for another audience"));
  // One letter of the payload in another case.
  std::string other = kRfc7515Payload;
  other[40] = other[40] == 'i' ? 'I' : 'i';
  const auto forged = Jwt::Parse(fmt::format("{}.{}.{}", header, other, signature));
  if (forged.ok()) CHECK_FALSE(forged->Verify(Keys(key)).ok());
}

// RFC 7519 §3.1 (HS256) and §6.1 (none).
TEST_CASE("JWT of RFC 7519 that nobody signed with a key of his own is refused", "[jwt]") {
  const JwkSet keys = Keys(JwtSigner(Kind::kEc).Jwk("a"));
  const std::string payload = kRfc7515Payload;
  CHECK_THAT(Refusal("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload +
                         ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                     keys),
             Contains("expected the algorithm ES256 or RS256"));
  CHECK_THAT(Refusal("eyJhbGciOiJub25lIn0." + payload + ".", keys),
             Contains("expected the algorithm ES256 or RS256"));
}

TEST_CASE("JWT of a key that is known is taken, with its name and without", "[jwt]") {
  const JwtSigner signer(GENERATE(Kind::kEc, Kind::kRsa));
  const JwkSet keys = Keys(signer.Jwk("one"));
  CHECK(Refusal(signer.Sign("one", Good()), keys).empty());
  CHECK(Refusal(signer.Sign("", Good()), keys).empty());
  CHECK_THAT(Refusal(signer.Sign("two", Good()), keys), Contains("a key that is not known"));
}

TEST_CASE("JWT whose key and algorithm do not belong together is refused", "[jwt]") {
  const JwtSigner rsa(Kind::kRsa);
  const JwtSigner ec(Kind::kEc);
  const JwkSet keys = Keys(rsa.Jwk("rsa") + "," + ec.Jwk("ec"));
  const auto as = [](const std::string& alg, const std::string& kid) {
    return fmt::format(R"({{"alg":"{}","kid":"{}"}})", alg, kid);
  };
  // The public key as a secret that everybody knows.
  for (const std::string& secret : {rsa.PublicPem(), rsa.Jwk("rsa"), ec.PublicPem()}) {
    CHECK_THAT(Refusal(test::SignHs256(Good(), secret), keys), Contains("expected the algorithm"));
  }
  CHECK_THAT(Refusal(rsa.SignAs(as("ES256", "rsa"), Good()), keys), Contains("not known"));
  CHECK_THAT(Refusal(rsa.SignAs(as("ES256", "ec"), Good()), keys), Contains("signature is wrong"));
  CHECK_THAT(Refusal(ec.SignAs(as("RS256", "rsa"), Good()), keys), Contains("signature is wrong"));
  CHECK_THAT(Refusal(ec.SignAs(as("RS256", "ec"), Good()), keys), Contains("not known"));
  CHECK_THAT(Refusal(ec.SignAs(as("none", "ec"), Good()), keys),
             Contains("expected the algorithm"));
  CHECK_THAT(Refusal(ec.SignAs(as("es256", "ec"), Good()), keys), Contains("expected the alg"));
  CHECK_THAT(Refusal(ec.SignAs(as("PS256", "rsa"), Good()), keys), Contains("expected the alg"));
}

TEST_CASE("JWT under another key's name is refused", "[jwt]") {
  const JwtSigner first(Kind::kEc);
  const JwtSigner second(Kind::kEc);
  const JwkSet keys = Keys(first.Jwk("first") + "," + second.Jwk("second"));
  CHECK(Refusal(first.Sign("first", Good()), keys).empty());
  CHECK_THAT(Refusal(first.Sign("second", Good()), keys), Contains("signature is wrong"));
  CHECK_THAT(Refusal(first.Sign("", Good()), keys), Contains("not known"));
}

TEST_CASE("JWT that brings a key of its own is checked with the one that is known", "[jwt]") {
  const JwtSigner known(Kind::kEc);
  const JwtSigner own(Kind::kEc);
  const JwkSet keys = Keys(known.Jwk("a"));
  const std::string header = fmt::format(
      R"({{"alg":"ES256","jwk":{},"jku":"https://evil.example/","x5c":["AAAA"]}})", own.Jwk("a"));
  CHECK_THAT(Refusal(own.SignAs(header, Good()), keys), Contains("signature is wrong"));
  CHECK(Refusal(known.SignAs(header, Good()), keys).empty());
}

TEST_CASE("JWT with another signature than the two numbers is refused", "[jwt]") {
  const JwtSigner signer(Kind::kEc);
  const JwkSet keys = Keys(signer.Jwk("a"));
  CHECK_THAT(Refusal(signer.SignAs(R"({"alg":"ES256"})", Good(), Form::kDer), keys),
             Contains("signature is wrong"));
  const std::string token = signer.Sign("a", Good());
  const size_t last = token.rfind('.');
  const std::string text = token.substr(0, last + 1);
  const std::string signature = *FromBase64Url(token.substr(last + 1));
  for (const std::string& other : {signature.substr(0, 63), signature + '\0', std::string(64, '\0'),
                                   std::string(64, '\xff'), std::string(32, '\0') + signature}) {
    CHECK_THAT(Refusal(text + Base64Url(other), keys), Contains("signature is wrong"));
  }
  CHECK_THAT(Refusal(text, keys), Contains("no signature"));
  CHECK_THAT(Refusal(token + "==", keys), Contains("no signature"));
}

TEST_CASE("JWT that is not what it has to be is refused in words", "[jwt]") {
  const JwtSigner signer(Kind::kEc);
  const JwkSet keys = Keys(signer.Jwk("a"));
  const auto [header, claims, words] = GENERATE(table<std::string, std::string, std::string>({
      {R"({"alg":"ES256","crit":["b64"],"b64":false})", Good(), "has to be understood"},
      {R"({"alg":"ES256","crit":[]})", Good(), "has to be understood"},
      {R"({"alg":"ES256","alg":"ES256"})", Good(),
       "JWT header: JSON with a name that is there twi"},
      {R"({"alg":["ES256"]})", Good(), "alg is no text"},
      {R"({"alg":"ES256","kid":1})", Good(), "kid is no text"},
      {R"({})", Good(), "expected the algorithm"},
      {R"("ES256")", Good(), "JWT header: no JSON object"},
      {R"({"alg":"ES256"})", "[]", "JWT claims: no JSON object"},
      {R"({"alg":"ES256"})", Claims(kIssuer, "a", "culvert", 0, 60, R"(,"sub":"b")"), "twice"},
      {R"({"alg":"ES256"})", Claims(kIssuer, "a", "culvert", 0, 60, R"(,"exp":9999999999)"),
       "twice"},
      {R"({"alg":"ES256"})", R"({"iss":"a"})", "no time at which it expires"},
      {R"({"alg":"ES256"})", R"({"exp":1})", "no issuer"},
      {R"({"alg":"ES256"})", R"({"iss":"","exp":1})", "no issuer"},
      {R"({"alg":"ES256"})", R"({"iss":["a"],"exp":1})", "iss is no text"},
      {R"({"alg":"ES256"})", R"({"iss":"a","exp":"1"})", "exp is no time"},
      {R"({"alg":"ES256"})", R"({"iss":"a","exp":-1})", "exp is no time"},
      {R"({"alg":"ES256"})", R"({"iss":"a","exp":1e300})", "exp is no time"},
      {R"({"alg":"ES256"})", R"({"iss":"a","exp":1e999})", "not JSON"},
      {R"({"alg":"ES256"})", R"({"iss":"a","exp":1,"nbf":null})", "nbf is no time"},
      {R"({"alg":"ES256"})", R"({"iss":"a","exp":1,"aud":[1]})", "aud is neither"},
      {R"({"alg":"ES256"})", R"({"iss":"a","exp":1,"sub":7})", "sub is no text"},
  }));
  CAPTURE(header, claims);
  CHECK_THAT(Refusal(signer.SignAs(header, claims), keys), Contains(words));
}

TEST_CASE("JWT in another form is refused", "[jwt]") {
  const JwtSigner signer(Kind::kEc);
  const JwkSet keys = Keys(signer.Jwk("a"));
  const std::string token = signer.Sign("a", Good());
  for (const std::string& other :
       {std::string(), std::string("."), std::string(".."), std::string("a.b"), token + ".",
        "." + token, " " + token, token + "\n", token.substr(0, token.rfind('.')),
        std::string(Jwt::kMostBytes + 1, 'a')}) {
    CAPTURE(other);
    CHECK_FALSE(Jwt::Parse(other).ok());
  }
  CHECK_FALSE(Jwt::Parse(token.substr(0, 4) + "=" + token.substr(4)).ok());
}

TEST_CASE("JWT counts only for its audience and in its time, with a minute of leeway", "[jwt]") {
  const JwtSigner signer(Kind::kEc);
  const JwkSet keys = Keys(signer.Jwk("a"));
  const auto refusal = [&](const std::string& claims) {
    return Refusal(signer.Sign("a", claims), keys);
  };
  const std::string now = std::to_string(std::time(nullptr));
  CHECK_THAT(refusal(Claims("https://other.example", "a", "culvert")), Contains("another issuer"));
  CHECK_THAT(refusal(Claims(kIssuer, "a", "other")), Contains("another audience"));
  CHECK_THAT(refusal(Claims(kIssuer, "a", "Culvert")), Contains("another audience"));
  CHECK(refusal(Claims(kIssuer, "a", "x\",\"aud2\":\"")) != "");
  CHECK(refusal(R"({"iss":")" + std::string(kIssuer) + R"(","aud":["x","culvert"],"exp":)" + now +
                "}")
            .empty());
  CHECK(refusal(Claims(kIssuer, "a", "culvert", -640, 600)).empty());
  CHECK_THAT(refusal(Claims(kIssuer, "a", "culvert", -670, 600)), Contains("expired at"));
  const auto from = [](int seconds) {
    return fmt::format(R"(,"nbf":{})", std::time(nullptr) + seconds);
  };
  CHECK(refusal(Claims(kIssuer, "a", "culvert", 0, 600, from(50))).empty());
  CHECK_THAT(refusal(Claims(kIssuer, "a", "culvert", 0, 600, from(90))), Contains("not valid bef"));
  CHECK(refusal(Claims(kIssuer, "a", "culvert", 50)).empty());
  CHECK_THAT(refusal(Claims(kIssuer, "a", "culvert", 90)), Contains("issued in the future"));
}

TEST_CASE("JWT that has to be short is refused if it is long or does not say", "[jwt]") {
  const JwtSigner signer(Kind::kEc);
  const JwkSet keys = Keys(signer.Jwk("a"));
  const JwtExpectation expected{kIssuer, {"culvert"}, std::chrono::minutes(65)};
  const auto check = [&](const std::string& claims) {
    return CheckClaims(*Jwt::Parse(signer.Sign("a", claims))->Verify(keys), expected, WallNow());
  };
  CHECK(check(Claims(kIssuer, "a", "culvert", 0, 3'900)).ok());
  CHECK(MessageOf(check(Claims(kIssuer, "a", "culvert", 0, 3'901))) ==
        "JWT: lives for more than 3900 s");
  CHECK_THAT(std::string(MessageOf(check(R"({"iss":")" + std::string(kIssuer) +
                                         R"(","aud":"culvert","exp":7999999999})"))),
             Contains("(iat)"));
}

}  // namespace
}  // namespace culvert::crypto
