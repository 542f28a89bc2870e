// Keys that waited for a certificate, once somebody else's time has come.
#include <filesystem>

#include "base/status.h"
#include "crypto/enrolment_token.h"
#include "crypto/random.h"
#include "sdk/client_core.h"
#include "sdk/enrolment.h"
#include "sdk/login.h"
#include "sdk/pending_key.h"
#include "sdk/renewal.h"
#include "tests/integration/broker_jwt_fixture.h"
#include "tests/integration/sdk_secure_fixture.h"

namespace culvert::test {
namespace {

using Role = crypto::SpiffeId::Role;
using std::chrono::seconds;

std::string Renewing(const std::string& state_dir) { return state_dir + "/renewing.pem"; }
bool HasRenewing(const std::string& state_dir) {
  return std::filesystem::exists(Renewing(state_dir));
}

struct PendingKeyFixture {
  TestRealm realm;
  TestBroker broker{realm};

  // For the user alice, and known to the broker.
  std::string Token() {
    const std::string token =
        crypto::EnrolmentToken{crypto::RandomBytes(32), realm.pki().authority().Fingerprint()}
            .ToString();
    broker.Run([&](broker::Broker&) { realm.records.token = token; });
    return token;
  }
};

TEST_CASE_METHOD(PendingKeyFixture, "Enrolling anew forgets the key that was to follow the old one",
                 "[sdk]") {
  const std::string alice = realm.User("alice");
  const crypto::Identity before = *crypto::LoadIdentity(alice);
  const auto stolen = NextKey(before, alice, KeyChoice::kNew);
  REQUIRE(stolen.ok());
  EnrolmentRequest request{{broker.address()}, Token(), alice};
  request.replace = true;
  REQUIRE(Enroll(request).ok());
  CHECK_FALSE(HasRenewing(alice));
  const auto renewed = RenewNow(alice, {broker.address()}, KeyChoice::kNew);
  REQUIRE(renewed.ok());
  CHECK_FALSE(renewed->key == stolen->public_key());
}

TEST_CASE_METHOD(PendingKeyFixture, "Enrolling after a refused token brings another key", "[sdk]") {
  const TempDirectory directory;
  EnrolmentRequest request{{broker.address()}, Token(), directory.path()};
  const std::string good = request.token;
  broker.Run([&](broker::Broker&) { realm.records.token.clear(); });
  REQUIRE(absl::IsUnauthenticated(Enroll(request).status()));
  const auto stolen = EnrollingKey(directory.path(), good);
  request.token = Token();
  const auto enrolled = Enroll(request);
  REQUIRE(enrolled.ok());
  CHECK_FALSE(enrolled->key == stolen->public_key());
  CHECK_FALSE(std::filesystem::exists(directory.File("enrolling.pem")));
}

TEST_CASE_METHOD(PendingKeyFixture, "A revoked pending key does not keep an identity from renewing",
                 "[sdk]") {
  const std::string agent = realm.Agent("edge-1");
  const auto next = NextKey(*crypto::LoadIdentity(agent), agent, KeyChoice::kNew);
  broker.Run([&](broker::Broker&) { realm.records.revoked.insert(next->public_key().id()); });
  const auto refused = RenewNow(agent, {broker.address()}, KeyChoice::kNew);
  CHECK(absl::IsPermissionDenied(refused.status()));
  const auto renewed = RenewNow(agent, {broker.address()}, KeyChoice::kNew);
  REQUIRE(renewed.ok());
  CHECK_FALSE(renewed->key == next->public_key());
}

TEST_CASE_METHOD(PendingKeyFixture, "A program that runs goes on from a revoked pending key",
                 "[sdk]") {
  const std::string agent =
      realm.Keep(realm.Issue(Role::kAgent, "edge-1", "default", seconds(-20), seconds(10)));
  const crypto::Identity before = *crypto::LoadIdentity(agent);
  const auto next = NextKey(before, agent, KeyChoice::kNew);
  broker.Run([&](broker::Broker&) { realm.records.revoked.insert(next->public_key().id()); });
  ClientOptions options = SecureOptions(broker.address(), agent);
  options.rotate_key = true;
  const TestProvider provider(options);
  const auto key = [&] { return crypto::LoadIdentity(agent)->key.public_key(); };
  CHECK(Eventually([&] { return !(key() == before.key.public_key()); }));
  CHECK_FALSE(key() == next->public_key());
}

TEST_CASE_METHOD(PendingKeyFixture, "A login that may not be renewed leaves no key", "[sdk]") {
  realm.records.may_renew = absl::FailedPreconditionError("log in again");
  const std::string ci =
      realm.Keep(realm.Issue(Role::kServiceAccount, "ci", "default", seconds(-18), seconds(12)));
  CHECK(absl::IsFailedPrecondition(RenewNow(ci, {broker.address()}, KeyChoice::kNew).status()));
  CHECK_FALSE(HasRenewing(ci));
  ClientOptions options = SecureOptions(broker.address(), ci);
  options.rotate_key = true;
  const TestConsumer consumer(options);
  const auto refused = [&] {
    int count = 0;
    broker.Run([&](broker::Broker&) { count = realm.records.refused_renewals; });
    return count;
  };
  CHECK(Eventually([&] { return refused() == 2 && !HasRenewing(ci); }));
}

TEST_CASE_METHOD(JwtFixture,
                 "A login in the place of an identity forgets the key that was to follow",
                 "[sdk]") {
  const std::string dir = realm.Keep(realm.Issue(Role::kServiceAccount, "other"));
  REQUIRE(NextKey(*crypto::LoadIdentity(dir), dir, KeyChoice::kNew).ok());
  LoginRequest request{{broker.address()}, Good(), dir, std::nullopt, "", true};
  REQUIRE(culvert::Login(request).ok());
  CHECK_FALSE(HasRenewing(dir));
}

TEST_CASE_METHOD(JwtFixture, "A login over somebody else's identity has nothing issued for its key",
                 "[sdk]") {
  const std::string dir = realm.Keep(realm.Issue(Role::kServiceAccount, "other"));
  const crypto::Identity before = *crypto::LoadIdentity(dir);
  LoginRequest request{{broker.address()}, Good(), dir, std::nullopt, "", false};
  const absl::Status refused = culvert::Login(request).status();
  // The broker's word: ALREADY_EXISTS would come after it had issued.
  CHECK(absl::IsFailedPrecondition(refused));
  CHECK_THAT(std::string(MessageOf(refused)), Catch::Matchers::Contains("--force replaces it"));
  CHECK(crypto::LoadIdentity(dir)->certificate == before.certificate);
}

}  // namespace
}  // namespace culvert::test
