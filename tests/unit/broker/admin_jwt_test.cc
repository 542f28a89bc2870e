#include "base/status.h"
#include "broker/admin_print.h"
#include "tests/support/jwt_signer.h"
#include "tests/unit/broker/admin_fixture.h"

namespace culvert::broker {
namespace {

using test::JwtSigner;
using test::KeySet;

TEST_CASE_METHOD(AdminFixture, "Admin keeps service accounts and their keys", "[admin]") {
  const JwtSigner signer(JwtSigner::Kind::kEc);
  const Json made =
      Result("service-account add", {{"name", "ci"}, {"public_key", signer.PublicPem()}});
  CHECK(made["spiffe_id"] == "spiffe://culvert.internal/project/default/service-account/ci");
  const auto jwk = crypto::Jwk::FromJson(signer.Jwk("two"));
  REQUIRE(jwk.ok());
  CHECK(made["kid"] == jwk->key.thumbprint());
  CHECK(Result("service-account add", {{"name", "ci"}, {"public_key", signer.Jwk("two")}})["kid"] ==
        "two");
  const Json list = Result("service-account list");
  REQUIRE(list.size() == 2);
  CHECK(list[0]["algorithm"] == "ES256");
  CHECK(changes.back() == AdminChange::kJwts);
  CHECK(events.back().reason == "service account ci has key two");
  CHECK(events.size() == 2);

  Result("service-account remove", {{"name", "ci"}, {"kid", "two"}});
  CHECK(Result("service-account list").size() == 1);
  Result("service-account remove", {{"name", "ci"}});
  CHECK(absl::IsNotFound(Call("service-account remove", {{"name", "ci"}}).status()));
  for (const std::string& bad : {std::string(), std::string("x"), signer.PrivatePem(),
                                 R"({"d":"AA",)" + signer.Jwk("two").substr(1)}) {
    CHECK(absl::IsInvalidArgument(
        Call("service-account add", {{"name", "ci"}, {"public_key", bad}}).status()));
  }
}

TEST_CASE_METHOD(AdminFixture, "Admin revokes the logins of a service account that it removes",
                 "[admin]") {
  const JwtSigner signer(JwtSigner::Kind::kEc);
  const store::Principal ci{"default", store::Role::kServiceAccount, "ci", Key("login")};
  const Json add = {{"name", "ci"}, {"public_key", signer.Jwk("one")}};
  Result("service-account add", add);
  REQUIRE(
      store->principals()
          .Record(ci, "01", now + std::chrono::hours(12), now, store::PrincipalTable::By::kLogin)
          .ok());
  Result("service-account remove", {{"name", "ci"}, {"kid", "one"}});
  CHECK_FALSE(store->revocations().IsRevoked(Key("login")));
  Result("service-account add", add);
  const Json removed = Result("service-account remove", {{"name", "ci"}});
  CHECK(removed["keys"] == Json::array({Key("login")}));
  CHECK(DescribeResult("service-account remove", removed, Format::kText) ==
        "revoked " + Key("login") + "\n");
  CHECK(events.back().reason == "service account ci removed, keys of its logins revoked: 1");
  Result("service-account add", add);
  CHECK(store->revocations().IsRevoked(Key("login")));
}

TEST_CASE_METHOD(AdminFixture, "Admin keeps issuers", "[admin]") {
  const JwtSigner signer(JwtSigner::Kind::kRsa);
  const Json issuer = {{"issuer", "https://issuer.example"},
                       {"audiences", {"culvert"}},
                       {"jwks", "/etc/keys.json"},
                       {"keys", KeySet(signer.Jwk("a"))}};
  Result("issuer add", issuer);
  const Json list = Result("issuer list");
  REQUIRE(list.size() == 1);
  CHECK(list[0]["claim"] == "sub");
  CHECK(list[0]["keys"] == 1);
  CHECK(changes == std::vector{AdminChange::kJwts});
  Json bad = issuer;
  bad["keys"] = "{}";
  CHECK(absl::IsInvalidArgument(Call("issuer add", bad).status()));
  bad = issuer;
  bad["more"] = 1;
  CHECK(absl::IsInvalidArgument(Call("issuer add", bad).status()));
  Result("issuer remove", {{"issuer", "https://issuer.example"}});
  CHECK(absl::IsNotFound(Call("issuer remove", {{"issuer", "https://issuer.example"}}).status()));
}

}  // namespace
}  // namespace culvert::broker
