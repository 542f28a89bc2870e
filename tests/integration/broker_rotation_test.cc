// Renewals for another key than the connection's, at the broker.
#include <functional>

#include "base/status.h"
#include "broker/identity_calls.h"
#include "crypto/certificate_request.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/key_rotation_message.h"
#include "tests/support/catch.h"
#include "tests/support/test_realm.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;
using crypto::PrivateKey;
using crypto::SpiffeId;

const SpiffeId kEdge{broker::kTrustDomain, "default", SpiffeId::Role::kAgent, "edge-1"};

struct RotationFixture {
  TestRealm realm;
  MonotonicTime time = MonotonicNow();
  broker::IdentityCalls calls{realm.pki(), realm.records, "here", nullptr, [this] { return time; }};
  PrivateKey old_key = PrivateKey::Generate();
  PrivateKey new_key = PrivateKey::Generate();
  crypto::WallTime now = WallNow();
  broker::Principal who{kEdge, old_key.public_key().id()};
  rpc::StreamInfo info;

  RotationFixture() {
    info.certificate = realm.pki().Issue(kEdge, old_key.public_key(), now)->Pem();
  }

  crypto::KeyRotation Statement() const {
    return crypto::SignKeyRotation(old_key, new_key.public_key(), kEdge, now);
  }
  // What the broker answers to a request for `key` with `rotation`.
  absl::StatusOr<culvert::v1::CertificateResponse> Renew(
      const PrivateKey& key, const std::optional<crypto::KeyRotation>& rotation) {
    culvert::v1::RenewRequest request;
    request.set_certificate_request(crypto::MakeCertificateRequest(key));
    if (rotation) *request.mutable_rotation() = rpc::KeyRotationMessage(*rotation);
    CULVERT_ASSIGN_OR_RETURN(const broker::IdentityCalls::Issued issued,
                             calls.Renew(who, info, Bytes(request.SerializeAsString()), now));
    culvert::v1::CertificateResponse response;
    REQUIRE(response.ParseFromString(issued.answer.head + std::string(issued.answer.body.view())));
    return response;
  }
};

TEST_CASE_METHOD(RotationFixture, "Broker certifies a new key that the old one vouches for",
                 "[broker]") {
  const auto response = Renew(new_key, Statement());
  REQUIRE(response.ok());
  const auto certificate = crypto::Certificate::FromPem(response->certificate());
  REQUIRE(certificate.ok());
  CHECK(certificate->public_key() == new_key.public_key());
  CHECK(certificate->spiffe_id() == kEdge);
  REQUIRE(realm.records.rotations.size() == 1);
  CHECK(crypto::CheckKeyRotation(realm.records.rotations[0], kEdge).ok());
}

TEST_CASE_METHOD(RotationFixture, "Broker refuses a new key without a good statement for it",
                 "[broker]") {
  const PrivateKey third = PrivateKey::Generate();
  SpiffeId other = kEdge;
  other.name = "edge-2";
  crypto::KeyRotation forged = Statement();
  forged.signature = new_key.Sign("something else");
  struct Case {
    const PrivateKey& asked;
    std::optional<crypto::KeyRotation> rotation;
    const char* why;
  };
  const std::vector<Case> cases = {
      {new_key, std::nullopt, "another key than the connection's"},
      {new_key, forged, "the old key has not signed it"},
      {new_key, crypto::SignKeyRotation(old_key, new_key.public_key(), other, now),
       "about somebody else"},
      {new_key, crypto::SignKeyRotation(third, new_key.public_key(), kEdge, now),
       "another key's than the connection's"},
      {third, Statement(), "for another key than the request"},
      {new_key,
       crypto::SignKeyRotation(old_key, new_key.public_key(), kEdge, now - std::chrono::minutes(6)),
       "set the clock"},
      {new_key,
       crypto::SignKeyRotation(old_key, new_key.public_key(), kEdge, now + std::chrono::minutes(6)),
       "set the clock"},
  };
  for (const Case& one : cases) {
    const auto response = Renew(one.asked, one.rotation);
    CHECK_THAT(std::string(MessageOf(response.status())), Contains(one.why));
  }
  CHECK(realm.records.rotations.empty());
}

TEST_CASE_METHOD(RotationFixture, "Broker's answer to a wrong clock lets the client ask again",
                 "[broker]") {
  const auto late =
      crypto::SignKeyRotation(old_key, new_key.public_key(), kEdge, now - std::chrono::minutes(6));
  CHECK(absl::IsOutOfRange(Renew(new_key, late).status()));
}

TEST_CASE_METHOD(RotationFixture, "Broker limits the certificates of one name", "[broker]") {
  for (int i = 0; i < 20; ++i) REQUIRE(Renew(old_key, std::nullopt).ok());
  const auto refused = Renew(new_key, Statement());
  CHECK(absl::IsResourceExhausted(refused.status()));
  CHECK_THAT(std::string(MessageOf(refused.status())),
             Contains("too many certificates for agent edge-1: try again in 10 s"));
  CHECK(realm.records.rotations.empty());
  who.id.name = "edge-2";
  CHECK(Renew(old_key, std::nullopt).ok());
  who.id.name = "edge-1";
  time += std::chrono::seconds(10);
  CHECK(Renew(old_key, std::nullopt).ok());
  CHECK(absl::IsResourceExhausted(Renew(old_key, std::nullopt).status()));
}

TEST_CASE_METHOD(RotationFixture, "Broker gives away no certificate that is not on record",
                 "[broker]") {
  realm.records.note_issued = absl::ResourceExhaustedError("too many keys");
  CHECK(absl::IsResourceExhausted(Renew(new_key, Statement()).status()));
}

TEST_CASE_METHOD(RotationFixture, "Broker refuses a new key that is revoked", "[broker]") {
  realm.records.revoked.insert(new_key.public_key().id());
  const auto response = Renew(new_key, Statement());
  CHECK(absl::IsPermissionDenied(response.status()));
  CHECK(realm.records.rotations.empty());
}

}  // namespace
}  // namespace culvert::test
