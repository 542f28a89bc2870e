#include "broker/store_records.h"

#include "base/status.h"
#include "broker/pki.h"
#include "crypto/enrolment_token.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using Role = crypto::SpiffeId::Role;

struct RecordsFixture : store::StoreFixture {
  StoreRecords records{*store, [this] { return now; }};
  const Principal alice{{kTrustDomain, "default", Role::kUser, "alice"}, Key("alice")};

  std::string Token(store::Role role, const std::string& name) {
    const auto token = store->tokens().Create({"default", role, name}, now + 1h, now);
    REQUIRE(token.ok());
    return crypto::EnrolmentToken{token->secret, Key("ca")}.ToString();
  }
  OpenChannel Opening() const {
    OpenChannel open;
    open.provider = {"projects/default", "", "", "edge-1"};
    open.service = "tcp";
    open.arg = "10.0.0.1:22";
    return open;
  }
};

TEST_CASE_METHOD(RecordsFixture, "Records redeem a token for whom it names", "[store_records]") {
  const std::string token = Token(store::Role::kAgent, "edge-1");
  CHECK(absl::IsFailedPrecondition(records.Redeem(token, Key("k"), Role::kUser).status()));
  const auto id = records.Redeem(token, Key("k"), Role::kAgent);
  REQUIRE(id.ok());
  CHECK(id->ToString() == "spiffe://culvert.internal/project/default/agent/edge-1");
  CHECK(*records.Redeem(token, Key("k"), Role::kAgent) == *id);
  CHECK(absl::IsUnauthenticated(records.Redeem(token, Key("other"), Role::kAgent).status()));
  CHECK(absl::IsUnauthenticated(records.Redeem("", Key("k"), Role::kAgent).status()));
  now += 1h;
  CHECK(absl::IsUnauthenticated(records.Redeem(token, Key("k"), Role::kAgent).status()));
}

TEST_CASE_METHOD(RecordsFixture, "Records note who was issued a certificate", "[store_records]") {
  const auto pki = Pki::Open({directory.path()}, now);
  REQUIRE(pki.ok());
  const auto key = crypto::PrivateKey::Generate();
  REQUIRE(records.NoteIssued(*(*pki)->Issue(alice.id, key.public_key(), now)).ok());
  const auto list = *store->principals().List("default");
  REQUIRE(list.size() == 1);
  CHECK(list[0].principal.ToString() == "user alice");
  CHECK(list[0].principal.key_id == key.public_key().id());
}

TEST_CASE_METHOD(RecordsFixture, "Records let a key be renewed that has enrolled, and no other",
                 "[store_records]") {
  const auto pki = Pki::Open({directory.path()}, now);
  REQUIRE(pki.ok());
  const auto key = crypto::PrivateKey::Generate();
  const Principal who{alice.id, key.public_key().id()};
  const auto unknown = records.MayRenew(who);
  CHECK(absl::IsFailedPrecondition(unknown));
  CHECK(MessageOf(unknown) == "this broker has no record of the key: enrol again");
  REQUIRE(records.NoteLogin(*(*pki)->Issue(alice.id, key.public_key(), now, 12h)).ok());
  CHECK(absl::IsFailedPrecondition(records.MayRenew(who)));
  REQUIRE(records.NoteIssued(*(*pki)->Issue(alice.id, key.public_key(), now)).ok());
  CHECK(records.MayRenew(who).ok());
  // That enrolment lapses; what comes of a login then is no more than that.
  now += 24h * 31;
  REQUIRE(records.NoteLogin(*(*pki)->Issue(alice.id, key.public_key(), now, 12h)).ok());
  CHECK(absl::IsFailedPrecondition(records.MayRenew(who)));
}

TEST_CASE_METHOD(RecordsFixture, "Records know revoked keys", "[store_records]") {
  CHECK(records.CheckNotRevoked(alice.key).ok());
  REQUIRE(store->revocations().Revoke({alice.key}, "", now).ok());
  CHECK(absl::IsUnauthenticated(records.CheckNotRevoked(alice.key)));
}

TEST_CASE_METHOD(RecordsFixture, "Records say what the policy says", "[store_records]") {
  CHECK(absl::IsPermissionDenied(records.MayConnect(alice, Opening())));
  CHECK_FALSE(records.MaySee(alice, Opening().provider));
  const store::Rule rule{
      "default", {store::SubjectKind::kUser, "alice"}, "connect", "edge-1", "tcp", "10.0.0.1:22"};
  REQUIRE(store->policy().Allow(rule, "", now).ok());
  CHECK(records.MayConnect(alice, Opening()).ok());
  CHECK(records.MaySee(alice, Opening().provider));
  OpenChannel other = Opening();
  other.arg = "10.0.0.1:23";
  CHECK(absl::IsPermissionDenied(records.MayConnect(alice, other)));
  other = Opening();
  other.provider.name = "edge-2";
  CHECK(absl::IsPermissionDenied(records.MayConnect(alice, other)));
  CHECK_FALSE(records.MaySee(alice, other.provider));
}

}  // namespace
}  // namespace culvert::broker
