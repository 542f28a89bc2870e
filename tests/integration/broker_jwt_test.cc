// Who comes to a broker with a JSON Web Token, and how far.
#include "tests/integration/broker_jwt_fixture.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;
using crypto::SpiffeId;
using Role = SpiffeId::Role;
using grpc::StatusCode;

TEST_CASE_METHOD(JwtFixture, "Broker knows who brings a JWT", "[jwt]") {
  culvert::v1::WhoAmIResponse response;
  REQUIRE(WhoAmI("Bearer " + Good(), response).ok());
  CHECK(response.spiffe_id() == kAccount);
  CHECK(response.key_thumbprint().empty());
  CHECK(response.not_after() > std::time(nullptr) + 500);
  REQUIRE(WhoAmI("bearer " + Alice(), response).ok());
  CHECK(response.spiffe_id() == "spiffe://culvert.internal/project/default/user/alice");
}

TEST_CASE_METHOD(JwtFixture, "Broker refuses a JWT that does not count", "[jwt]") {
  const JwtSigner other(Kind::kEc);
  const JwtSigner other_rsa(Kind::kRsa);
  const std::string hidden = "its issuer or key is unknown, or its signature is wrong";
  struct Bad {
    std::string what;
    std::string jwt;
    std::string words;
  };
  const std::string foreign = "spiffe://culvert.internal/project/default/service-account/other";
  const std::string user = "spiffe://culvert.internal/project/default/user/ci";
  const auto mine = [&](const std::string& claims) { return ci.Sign("ci-1", claims); };
  const auto theirs = [&](const std::string& claims) { return issuer.Sign("i-1", claims); };
  const std::vector<Bad> all = {
      {"none", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.", "the algorithm"},
      {"HS256 with a public key",
       SignHs256(Claims(kIssuer, "alice", "culvert"), issuer.PublicPem()), "the algorithm"},
      {"ES256 by an RSA key's name", ci.Sign("i-1", Claims(kIssuer, "alice", "culvert")), hidden},
      {"another's signature", other.Sign("ci-1", Claims(kAccount, kAccount, "culvert")), hidden},
      {"another kid", ci.Sign("ci-2", Claims(kAccount, kAccount, "culvert")), hidden},
      {"an unknown account", mine(Claims(foreign, foreign, "culvert")), hidden},
      {"a user's id", mine(Claims(user, user, "culvert")), hidden},
      {"an unknown issuer", theirs(Claims("https://evil.example", "alice", "culvert")), hidden},
      {"an issuer's by an account", mine(Claims(kIssuer, "alice", "culvert")), hidden},
      {"for somebody else", mine(Claims(kAccount, "alice", "culvert")), "sub must be iss"},
      {"account, audience", mine(Claims(kAccount, kAccount, "x")), "another audience"},
      {"issuer, audience", theirs(Claims(kIssuer, "alice", "x")), "another audience"},
      {"expired", mine(Claims(kAccount, kAccount, "culvert", -700)), "expired at"},
      {"not yet", theirs(Claims(kIssuer, "alice", "culvert", 0, 600, R"(,"nbf":7999999999)")),
       "not valid before"},
      {"from the future", mine(Claims(kAccount, kAccount, "culvert", 300)), "in the future"},
      {"too long", mine(Claims(kAccount, kAccount, "culvert", 0, 7'200)), "lives for more than"},
      {"twice", mine(Claims(kAccount, kAccount, "culvert", 0, 60, R"(,"exp":7999999999)")),
       "twice"},
      {"no name", theirs(Claims(kIssuer, "a/b", "culvert")), "no name of a user"},
      {"nothing", "", "expected three parts"},
  };
  for (const Bad& bad : all) {
    CAPTURE(bad.what);
    culvert::v1::WhoAmIResponse response;
    const grpc::Status status = WhoAmI("Bearer " + bad.jwt, response);
    CHECK(status.error_code() == StatusCode::UNAUTHENTICATED);
    CHECK_THAT(status.error_message(), Contains(bad.words));
    RawClient<V1> client = With(bad.jwt);
    CHECK(Open(client, "ci").End().error_code() == StatusCode::UNAUTHENTICATED);
    culvert::v1::CertificateResponse certificate;
    const grpc::Status login = Login(bad.jwt, crypto::PrivateKey::Generate(), certificate);
    CHECK(login.error_code() == StatusCode::UNAUTHENTICATED);
    CHECK_THAT(login.error_message(), Contains(bad.words));
    CHECK(certificate.certificate().empty());
  }
  culvert::v1::WhoAmIResponse response;
  CHECK_THAT(WhoAmI("Basic YTpi", response).error_message(), Contains("expected Bearer"));
  CHECK(broker.WaitForChannels(0));
  CHECK(broker.WaitForSilentStreams(0));
}

TEST_CASE_METHOD(JwtFixture, "Broker issues nothing for a JWT of another one than the key is for",
                 "[jwt]") {
  culvert::v1::LoginRequest request;
  request.set_jwt(Good());
  request.set_certificate_request(crypto::MakeCertificateRequest(crypto::PrivateKey::Generate()));
  const auto login = [&](const std::string& id, culvert::v1::CertificateResponse& response) {
    request.set_spiffe_id(id);
    grpc::ClientContext context;
    return culvert::v1::Identity::NewStub(Channel(std::nullopt))
        ->Login(&context, request, &response);
  };
  culvert::v1::CertificateResponse response;
  const grpc::Status status =
      login("spiffe://culvert.internal/project/default/user/alice", response);
  CHECK(status.error_code() == StatusCode::FAILED_PRECONDITION);
  CHECK(response.certificate().empty());
  CHECK(login(kAccount, response).ok());
  CHECK_FALSE(response.certificate().empty());
}

TEST_CASE_METHOD(JwtFixture, "Broker lets a JWT open channels, and do nothing that needs a key",
                 "[jwt]") {
  RawClient<V1> edge(Channel(realm.Issue(Role::kAgent, "edge-1")));
  RawProvider<V1> provider(edge, "edge-1", kCapable);
  RawClient<V1> client = With(Good());
  const auto denied = [](const grpc::Status& status, const std::string& words) {
    CHECK(status.error_code() == StatusCode::PERMISSION_DENIED);
    CHECK_THAT(status.error_message(), Contains(words));
  };
  SECTION("a channel without encryption") {
    auto call = Open(client, "ci");
    const auto offer = provider.Offer();
    CHECK(offer.consumer().spiffe_id() == kAccount);
    CHECK(offer.consumer().key_thumbprint().empty());
    auto accepted = provider.Accept(offer.channel_id());
    CHECK(call.Next().has_open_response());
  }
  SECTION("not one with encryption") {
    denied(Open(client, "ci", culvert::v1::END_TO_END_REQUIRED).End(), "no key to encrypt with");
  }
  SECTION("not under another name") {
    denied(Open(client, "alice").End(), "is not that of service-account ci");
  }
  SECTION("not as an agent") {
    auto listen = client.Listen();
    listen.Send(RawClient<V1>::ListenRequest("ci", kCapable));
    denied(listen.End(), "service-account ci is not an agent");
    auto accept = client.Accept();
    accept.Send(RawClient<V1>::AcceptRequest("edge-1", provider.session(), 1, kCapable));
    denied(accept.End(), "service-account ci is not an agent");
  }
  SECTION("no renewal") {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + Good());
    culvert::v1::RenewRequest request;
    request.set_certificate_request(crypto::MakeCertificateRequest(crypto::PrivateKey::Generate()));
    culvert::v1::CertificateResponse response;
    denied(
        culvert::v1::Identity::NewStub(Channel(std::nullopt))->Renew(&context, request, &response),
        "no certificate to renew");
  }
}

TEST_CASE_METHOD(JwtFixture, "Broker goes by the certificate where a JWT comes too", "[jwt]") {
  culvert::v1::WhoAmIResponse response;
  const auto bob = realm.Issue(Role::kUser, "bob");
  REQUIRE(WhoAmI("Bearer " + Good(), response, bob).ok());
  CHECK(response.spiffe_id() == "spiffe://culvert.internal/project/default/user/bob");
  REQUIRE(WhoAmI("Bearer nonsense", response, bob).ok());
  const TestRealm other;
  CHECK(WhoAmI("Bearer " + Good(), response, other.Issue(Role::kUser, "bob")).error_code() ==
        StatusCode::UNAUTHENTICATED);
}

TEST_CASE_METHOD(JwtFixture,
                 "Broker ends what a JWT has open when its account or issuer is removed", "[jwt]") {
  RawClient<V1> edge(Channel(realm.Issue(Role::kAgent, "edge-1")));
  RawProvider<V1> provider(edge, "edge-1", kCapable);
  const bool by_account = GENERATE(true, false);
  RawClient<V1> client = With(by_account ? Good() : Alice());
  auto call = Open(client, by_account ? "ci" : "alice");
  auto accepted = provider.Accept(provider.Offer().channel_id());
  REQUIRE(call.Next().has_open_response());
  Change([&] {
    REQUIRE((by_account ? store->service_accounts().Remove("default", "ci", "ci-1")
                        : store->issuers().Remove(kIssuer))
                .ok());
  });
  const grpc::Status ended = call.End();
  CHECK(ended.error_code() == StatusCode::PERMISSION_DENIED);
  CHECK_THAT(ended.error_message(), Contains("removed"));
  CHECK(Open(client, "ci").End().error_code() == StatusCode::UNAUTHENTICATED);
}

TEST_CASE_METHOD(JwtFixture, "Broker ends what a JWT has open when its issuer drops the key",
                 "[jwt]") {
  RawClient<V1> edge(Channel(realm.Issue(Role::kAgent, "edge-1")));
  RawProvider<V1> provider(edge, "edge-1", kCapable);
  int changes = 0;
  broker.Run([&](broker::Broker& running) {
    broker.jwts()->set_on_keys_changed([&changes, &running] {
      ++changes;
      running.CheckPermissions();
    });
  });
  RawClient<V1> client = With(Alice());
  auto call = Open(client, "alice");
  auto accepted = provider.Accept(provider.Offer().channel_id());
  REQUIRE(call.Next().has_open_response());

  const JwtSigner next(Kind::kEc);
  const std::string token = next.Sign("i-2", Claims(kIssuer, "alice", "culvert"));
  culvert::v1::WhoAmIResponse response;
  const auto code = [&] { return WhoAmI("Bearer " + token, response).error_code(); };
  // The same keys again are no change.
  key_server.Answer(KeySet(issuer.Jwk("i-1")));
  Change([] {});
  CHECK(Eventually([&] { return code() == StatusCode::UNAUTHENTICATED; }));
  broker.Run([&](broker::Broker&) { CHECK(changes == 0); });
  key_server.Answer(KeySet(next.Jwk("i-2")));
  Change([] {});
  CHECK(Eventually([&] { return code() == StatusCode::OK; }));
  const grpc::Status ended = call.End();
  CHECK(ended.error_code() == StatusCode::PERMISSION_DENIED);
  CHECK_THAT(ended.error_message(), Contains("the key of the JWT of user alice was removed"));
}

TEST_CASE_METHOD(JwtFixture, "Login gives a certificate of 12 hours that is not renewed", "[jwt]") {
  const crypto::PrivateKey key = crypto::PrivateKey::Generate();
  const bool by_account = GENERATE(true, false);
  culvert::v1::CertificateResponse response;
  REQUIRE(Login(by_account ? Good() : Alice(), key, response).ok());
  const auto certificate = crypto::Certificate::FromPem(response.certificate());
  REQUIRE(certificate.ok());
  CHECK(certificate->spiffe_id()->role == (by_account ? Role::kServiceAccount : Role::kUser));
  CHECK(certificate->public_key() == key.public_key());
  CHECK(certificate->not_after() - certificate->not_before() == std::chrono::hours(12));
  CHECK_FALSE(certificate->IsFor(crypto::Usage::kServer));

  const auto identity = crypto::Identity::FromParts(key, *certificate, realm.pki().authority());
  REQUIRE(identity.ok());
  culvert::v1::WhoAmIResponse who;
  REQUIRE(WhoAmI("", who, *identity).ok());
  CHECK(who.spiffe_id() == certificate->spiffe_id()->ToString());
  culvert::v1::RenewRequest renew;
  renew.set_certificate_request(crypto::MakeCertificateRequest(key));
  grpc::ClientContext context;
  const grpc::Status renewed =
      culvert::v1::Identity::NewStub(Channel(*identity))->Renew(&context, renew, &response);
  CHECK(renewed.error_code() == StatusCode::FAILED_PRECONDITION);
  CHECK_THAT(renewed.error_message(), Contains("log in again with culvert login"));

  if (!by_account) return;
  Change([&] { REQUIRE(store->service_accounts().Remove("default", "ci", std::nullopt).ok()); });
  CHECK_THAT(WhoAmI("", who, *identity).error_message(),
             Contains("service-account ci was removed"));
}

TEST_CASE_METHOD(JwtFixture, "Login refuses a revoked key", "[jwt]") {
  const crypto::PrivateKey key = crypto::PrivateKey::Generate();
  Change([&] {
    REQUIRE(store->revocations().Revoke({key.public_key().id()}, "stolen", WallNow()).ok());
  });
  culvert::v1::CertificateResponse response;
  CHECK(Login(Good(), key, response).error_code() == StatusCode::UNAUTHENTICATED);
}

TEST_CASE_METHOD(JwtFixture, "Broker reads an issuer's keys again for one that it does not know",
                 "[jwt]") {
  const JwtSigner next(Kind::kEc);
  const std::string token = next.Sign("i-2", Claims(kIssuer, "alice", "culvert"));
  culvert::v1::WhoAmIResponse response;
  const auto code = [&](const std::string& jwt) {
    return WhoAmI("Bearer " + jwt, response).error_code();
  };
  REQUIRE(code(Alice()) == StatusCode::OK);  // reads them too: they may be old
  REQUIRE(Eventually([&] { return key_server.count() > 0; }));
  key_server.Answer(KeySet(next.Jwk("i-2")));
  // Within a minute it does not ask again, whoever brings whatever.
  CHECK(Eventually([&] { return code(token) == StatusCode::UNAUTHENTICATED; }));
  for (int i = 0; i < 10; ++i) {
    CHECK(code(next.Sign(std::to_string(i), Claims(kIssuer, "alice", "culvert"))) ==
          StatusCode::UNAUTHENTICATED);
  }
  CHECK(key_server.count() == 1);
  CHECK(code(Alice()) == StatusCode::OK);  // the last good ones count
  Change([] {});                           // forgets when it asked
  CHECK(code(token) == StatusCode::UNAVAILABLE);
  CHECK(Eventually([&] { return code(token) == StatusCode::OK; }));
  CHECK(code(Alice()) == StatusCode::UNAUTHENTICATED);  // its key is no longer there
  Change([] {});
  CHECK(code(token) == StatusCode::OK);  // they are in the store
}

}  // namespace
}  // namespace culvert::test
