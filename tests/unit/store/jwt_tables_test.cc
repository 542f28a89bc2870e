#include "base/status.h"
#include "tests/support/jwt_signer.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

using Catch::Matchers::Contains;
using test::JwtSigner;
using test::KeySet;
using namespace std::chrono_literals;

struct JwtTablesFixture : StoreFixture {
  const JwtSigner signer{JwtSigner::Kind::kEc};
  crypto::Jwk Key(const std::string& kid) const { return *crypto::Jwk::FromJson(signer.Jwk(kid)); }
  static Issuer Good() {
    return {"https://issuer.example", "default", {"culvert", "other"}, "name", "/etc/keys.json"};
  }
};

TEST_CASE_METHOD(JwtTablesFixture, "Store keeps issuers and their last keys", "[store]") {
  REQUIRE(store->issuers().Set(Good(), now).ok());
  const std::string keys = KeySet(signer.Jwk("a"));
  REQUIRE(store->issuers().SetKeys("https://issuer.example", keys).ok());
  Reopen();
  const auto list = store->issuers().List();
  REQUIRE(list.ok());
  REQUIRE(list->size() == 1);
  const Issuer& issuer = list->front();
  CHECK(issuer.audiences == std::vector<std::string>{"culvert", "other"});
  CHECK(issuer.claim == "name");
  CHECK(issuer.source == "/etc/keys.json");
  CHECK(issuer.keys == keys);
  CHECK(issuer.created == now);

  Issuer again = Good();
  again.audiences = {"third"};
  REQUIRE(store->issuers().Set(again, now).ok());  // in its place
  REQUIRE(store->issuers().List()->size() == 1);
  CHECK(store->issuers().List()->front().audiences.front() == "third");
  CHECK(store->issuers().Remove("https://issuer.example").ok());
  CHECK(absl::IsNotFound(store->issuers().Remove("https://issuer.example")));
  CHECK(absl::IsNotFound(store->issuers().SetKeys("https://issuer.example", keys)));
}

TEST_CASE_METHOD(JwtTablesFixture, "Store refuses an issuer that cannot be one", "[store]") {
  const auto refusal = [&](auto change) {
    Issuer issuer = Good();
    change(issuer);
    const absl::Status set = store->issuers().Set(issuer, now);
    CHECK_FALSE(set.ok());
    return std::string(MessageOf(set));
  };
  CHECK_THAT(refusal([](Issuer& i) { i.issuer = ""; }), Contains("issuer \"\""));
  CHECK_THAT(refusal([](Issuer& i) { i.issuer = "a b"; }), Contains("issuer \"a b\""));
  CHECK_THAT(refusal([](Issuer& i) {
               i.issuer = "spiffe://culvert.internal/project/default/service-account/ci";
             }),
             Contains("a SPIFFE id is a service account's"));
  CHECK_THAT(refusal([](Issuer& i) { i.audiences = {}; }), Contains("audience"));
  CHECK_THAT(refusal([](Issuer& i) { i.audiences = {"a\nb"}; }), Contains("audience"));
  CHECK_THAT(refusal([](Issuer& i) { i.claim = ""; }), Contains("claim"));
  CHECK_THAT(refusal([](Issuer& i) { i.source = "http://issuer.example/keys"; }),
             Contains("begins with https://"));
  CHECK_THAT(refusal([](Issuer& i) { i.source = "keys.json"; }), Contains("begins with https://"));
  CHECK_THAT(refusal([](Issuer& i) { i.authorities = "x"; }), Contains("for a URL only"));
  CHECK_THAT(refusal([](Issuer& i) { i.keys = "{}"; }), Contains("JWK set"));
  CHECK_THAT(refusal([](Issuer& i) { i.project = "none"; }), Contains("no project \"none\""));
}

TEST_CASE_METHOD(JwtTablesFixture, "Store keeps service accounts by their keys", "[store]") {
  ServiceAccountTable& accounts = store->service_accounts();
  REQUIRE(accounts.Add("default", "ci", Key("one"), now).ok());
  const auto unnamed = accounts.Add("default", "ci", Key(""), now);
  REQUIRE(unnamed.ok());
  CHECK(unnamed->id == Key("").key.thumbprint());
  CHECK(absl::IsAlreadyExists(accounts.Add("default", "ci", Key("one"), now).status()));
  CHECK(absl::IsInvalidArgument(accounts.Add("default", "c i", Key("one"), now).status()));
  CHECK(absl::IsInvalidArgument(accounts.Add("default", "ci", Key("a b"), now).status()));
  CHECK(absl::IsNotFound(accounts.Add("none", "ci", Key("one"), now).status()));
  Reopen();
  const auto list = store->service_accounts().List("default");
  REQUIRE(list.ok());
  REQUIRE(list->size() == 2);
  CHECK((*list)[0].jwk.key == Key("").key);
  CHECK(store->service_accounts().List(std::nullopt)->size() == 2);

  CHECK(absl::IsNotFound(store->service_accounts().Remove("default", "ci", "two")));
  CHECK(store->service_accounts().Remove("default", "ci", "one").ok());
  CHECK(store->service_accounts().List("default")->size() == 1);
  CHECK(store->service_accounts().Remove("default", "ci", std::nullopt).ok());
  CHECK(absl::IsNotFound(store->service_accounts().Remove("default", "ci", std::nullopt)));
}

TEST_CASE_METHOD(JwtTablesFixture, "Store knows which keys have only logged in", "[store]") {
  using By = PrincipalTable::By;
  const Principal alice = User("alice");
  PrincipalTable& principals = store->principals();
  REQUIRE(principals.Record(alice, "01", now + 1h, now, By::kLogin).ok());
  CHECK(*principals.IsByLogin(alice));
  CHECK_FALSE(*principals.IsByLogin(User("bob")));
  REQUIRE(principals.Record(alice, "02", now + 1h, now, By::kLogin).ok());
  CHECK(*principals.IsByLogin(alice));
  // With a token it is enrolled, and a login later takes nothing away.
  REQUIRE(principals.Record(alice, "03", now + 1h, now).ok());
  CHECK_FALSE(*principals.IsByLogin(alice));
  REQUIRE(principals.Record(alice, "04", now + 1h, now, By::kLogin).ok());
  CHECK_FALSE(*principals.IsByLogin(alice));
}

}  // namespace
}  // namespace culvert::store
