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

TEST_CASE_METHOD(JwtTablesFixture, "Service account takes the keys of its logins along",
                 "[store]") {
  const auto login = [&](const std::string& key, const std::string& name, Role role) {
    const Principal who{"default", role, name, StoreFixture::Key(key)};
    REQUIRE(store->principals().Record(who, "01", now + 1h, now, PrincipalTable::By::kLogin).ok());
  };
  login("one", "ci", Role::kServiceAccount);
  login("shared", "ci", Role::kServiceAccount);
  login("shared", "alice", Role::kUser);
  login("other", "cd", Role::kServiceAccount);
  // Nothing is revoked for an account that is not there.
  CHECK(absl::IsNotFound(store->RemoveServiceAccount("default", "ci", now).status()));
  CHECK_FALSE(store->revocations().IsRevoked(StoreFixture::Key("one")));

  REQUIRE(store->service_accounts().Add("default", "ci", Key("one"), now).ok());
  REQUIRE(store->service_accounts().Add("default", "ci", Key("two"), now).ok());
  const auto revoked = store->RemoveServiceAccount("default", "ci", now);
  REQUIRE(revoked.ok());
  CHECK(*revoked == std::vector{StoreFixture::Key("one")});
  CHECK(store->service_accounts().List("default")->empty());
  CHECK(store->revocations().IsRevoked(StoreFixture::Key("one")));
  Reopen();
  CHECK(store->revocations().IsRevoked(StoreFixture::Key("one")));
  CHECK_FALSE(store->revocations().IsRevoked(StoreFixture::Key("shared")));
  CHECK_FALSE(store->revocations().IsRevoked(StoreFixture::Key("other")));
}

TEST_CASE_METHOD(JwtTablesFixture, "Store knows which keys have only logged in", "[store]") {
  using By = PrincipalTable::By;
  const Principal alice = User("alice");
  PrincipalTable& principals = store->principals();
  REQUIRE(principals.Record(alice, "01", now + 1h, now, By::kLogin).ok());
  CHECK(*principals.HowRecorded(alice) == By::kLogin);
  CHECK(absl::IsNotFound(principals.HowRecorded(User("bob")).status()));
  REQUIRE(principals.Record(alice, "02", now + 1h, now, By::kLogin).ok());
  CHECK(*principals.HowRecorded(alice) == By::kLogin);
  // With a token it is enrolled, and a login later takes nothing away.
  REQUIRE(principals.Record(alice, "03", now + 1h, now).ok());
  CHECK(*principals.HowRecorded(alice) == By::kToken);
  REQUIRE(principals.Record(alice, "04", now + 1h, now, By::kLogin).ok());
  CHECK(*principals.HowRecorded(alice) == By::kToken);
  // But an enrolment that has expired gives it nothing.
  REQUIRE(principals.Record(alice, "05", now + 3h, now + 2h, By::kLogin).ok());
  CHECK(*principals.HowRecorded(alice) == By::kLogin);
}

TEST_CASE_METHOD(JwtTablesFixture, "Login takes nothing from an enrolment that lasts longer",
                 "[store]") {
  using By = PrincipalTable::By;
  const Principal alice = User("alice");
  REQUIRE(store->principals().Record(alice, "01", now + 720h, now).ok());
  REQUIRE(store->principals().Record(alice, "02", now + 12h, now, By::kLogin).ok());
  REQUIRE(store->principals().Record(alice, "03", now + 36h, now + 24h, By::kLogin).ok());
  CHECK(*store->principals().HowRecorded(alice) == By::kToken);
  CHECK(store->principals().List("default")->front().expires == now + 720h);
}

TEST_CASE_METHOD(JwtTablesFixture, "Store limits the keys of one principal", "[store]") {
  PrincipalTable& principals = store->principals();
  Principal alice = User("alice");
  const auto record = [&](int key, WallTime at) {
    alice.key_id = StoreFixture::Key(std::to_string(key));
    return principals.Record(alice, "01", at + 1h, at, PrincipalTable::By::kLogin);
  };
  for (int i = 0; i < 64; ++i) REQUIRE(record(i, now).ok());
  const absl::Status full = record(64, now);
  CHECK(absl::IsResourceExhausted(full));
  CHECK_THAT(std::string(full.message()), Contains("user alice has 64 keys"));
  CHECK(record(0, now).ok());  // no new one
  CHECK(principals.Record(User("bob"), "01", now + 1h, now).ok());
  CHECK(principals.Record(Agent("alice"), "01", now + 1h, now).ok());
  // Neither what is revoked counts, nor what has expired, which is forgotten some time later.
  REQUIRE(store->revocations().Revoke({StoreFixture::Key("1")}, "", now).ok());
  CHECK(record(64, now).ok());
  CHECK(record(65, now + 2h).ok());
  CHECK(principals.KeysOf("default", Role::kUser, "alice")->size() == 66);
  CHECK(record(66, now + 24h * 31).ok());
  CHECK(principals.KeysOf("default", Role::kUser, "alice")->size() == 1);
}

}  // namespace
}  // namespace culvert::store
