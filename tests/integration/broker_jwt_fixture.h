// A broker with a store, and clients that bring JSON Web Tokens.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "crypto/certificate_request.h"
#include "culvert/v1/identity.grpc.pb.h"
#include "store/store.h"
#include "tests/support/eventually.h"
#include "tests/support/jwt_signer.h"
#include "tests/support/raw_client.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_broker.h"

namespace culvert::test {

inline constexpr char kAccount[] = "spiffe://culvert.internal/project/default/service-account/ci";
inline constexpr char kIssuer[] = "https://issuer.example";

// What an issuer's server would give, and how often it was asked. Any thread.
struct FakeKeyServer {
  void Answer(absl::StatusOr<std::string> next) {
    const std::lock_guard lock(mutex);
    answer = std::move(next);
  }
  absl::StatusOr<std::string> Fetch() {
    const std::lock_guard lock(mutex);
    ++fetches;
    return answer;
  }
  int count() {
    const std::lock_guard lock(mutex);
    return fetches;
  }
  std::mutex mutex;
  absl::StatusOr<std::string> answer = absl::UnavailableError("down");
  int fetches = 0;
};

struct JwtFixture {
  using Kind = JwtSigner::Kind;
  JwtFixture() {
    Change([this] {
      REQUIRE(store->service_accounts()
                  .Add("default", "ci", *crypto::Jwk::FromJson(ci.Jwk("ci-1")), WallNow())
                  .ok());
      REQUIRE(
          store->issuers()
              .Set({kIssuer, "default", {"culvert"}, "sub", "/keys", "", KeySet(issuer.Jwk("i-1"))},
                   WallNow())
              .ok());
      for (const auto& subject : {store::Subject{store::SubjectKind::kServiceAccount, "ci"},
                                  store::Subject{store::SubjectKind::kUser, "alice"}}) {
        store::Rule rule;
        rule.project = "default";
        rule.subject = subject;
        rule.role = "connect";
        REQUIRE(store->policy().Allow(rule, "test", WallNow()).ok());
      }
    });
  }

  // As an administrator would: in the store, and known at once.
  void Change(absl::AnyInvocable<void()> change) {
    broker.Run([&](broker::Broker& running) {
      change();
      broker.jwts()->Reload();
      running.CheckPermissions();
    });
  }
  static std::unique_ptr<store::Store> OpenStore(const std::string& path) {
    auto opened = store::Store::Open(path, WallNow());
    REQUIRE(opened.ok());
    return *std::move(opened);
  }

  std::shared_ptr<grpc::Channel> Channel(const std::optional<crypto::Identity>& identity) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = realm.pki().authority().Pem();
    if (identity) {
      options.pem_private_key = identity->key.Pem();
      options.pem_cert_chain = identity->certificate.Pem();
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetSslTargetNameOverride(rpc::kBrokerName);
    return grpc::CreateCustomChannel(broker.address(), grpc::SslCredentials(options), arguments);
  }
  RawClient<V1> With(const std::string& jwt) const {
    RawClient<V1> client(Channel(std::nullopt));
    client.authorization = "Bearer " + jwt;
    return client;
  }
  std::string Good() const { return ci.Sign("ci-1", Claims(kAccount, kAccount, "culvert")); }
  std::string Alice(const std::string& kid = "i-1") const {
    return issuer.Sign(kid, Claims(kIssuer, "alice", "culvert"));
  }

  static RawClient<V1>::ConnectCall Open(
      RawClient<V1>& client, const std::string& name,
      culvert::v1::EndToEnd e2e = culvert::v1::END_TO_END_UNSPECIFIED) {
    auto request = RawClient<V1>::OpenRequest("edge-1", kCapable);
    request.mutable_open_request()->set_name(name);
    request.mutable_open_request()->set_e2e(e2e);
    auto call = client.Connect();
    call.Send(request);
    return call;
  }
  grpc::Status WhoAmI(const std::string& authorization, culvert::v1::WhoAmIResponse& response,
                      const std::optional<crypto::Identity>& identity = std::nullopt) const {
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    return culvert::v1::Identity::NewStub(Channel(identity))->WhoAmI(&context, {}, &response);
  }
  grpc::Status Login(const std::string& jwt, const crypto::PrivateKey& key,
                     culvert::v1::CertificateResponse& response) const {
    culvert::v1::LoginRequest request;
    request.set_jwt(jwt);
    request.set_certificate_request(crypto::MakeCertificateRequest(key));
    grpc::ClientContext context;
    return culvert::v1::Identity::NewStub(Channel(std::nullopt))
        ->Login(&context, request, &response);
  }

  const TempDirectory directory;
  TestRealm realm;
  const std::unique_ptr<store::Store> store = OpenStore(directory.File("store"));
  const JwtSigner ci{Kind::kEc};
  const JwtSigner issuer{Kind::kRsa};
  FakeKeyServer key_server;
  TestBroker broker{realm, *store, [this](const broker::KeySource&) { return key_server.Fetch(); }};
};

}  // namespace culvert::test
