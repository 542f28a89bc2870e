// Who is turned away by a broker with identities, with which code, and that nothing of it stays.
#include <grpcpp/impl/codegen/client_unary_call.h>

#include "base/status.h"
#include "crypto/certificate_request.h"
#include "culvert/v1/identity.grpc.pb.h"
#include "tests/support/raw_client.h"
#include "tests/support/test_broker.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;
using crypto::SpiffeId;
using std::chrono::hours;
using Role = SpiffeId::Role;

// A channel that shows `identity`, or no certificate.
std::shared_ptr<grpc::Channel> ChannelAs(const TestBroker& broker,
                                         const crypto::Certificate& authority,
                                         const std::optional<crypto::Identity>& identity) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority.Pem();
  if (identity) {
    options.pem_private_key = identity->key.Pem();
    options.pem_cert_chain = identity->certificate.Pem();
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetSslTargetNameOverride(rpc::kBrokerName);
  return grpc::CreateCustomChannel(broker.address(), grpc::SslCredentials(options), arguments);
}

struct DeniedFixture {
  TestRealm realm;
  TestBroker broker{realm};

  RawClient<V1> As(const std::optional<crypto::Identity>& identity) const {
    return RawClient<V1>(ChannelAs(broker, realm.pki().authority(), identity));
  }
  RawClient<V1> As(Role role, const std::string& name) const { return As(realm.Issue(role, name)); }
  // An opening of `client` under the name that it gives itself.
  static RawClient<V1>::ConnectCall Open(RawClient<V1>& client, const std::string& own_name,
                                         const std::string& project = kProject) {
    auto request = RawClient<V1>::OpenRequest("edge-1", kCapable);
    request.mutable_open_request()->set_name(own_name);
    request.mutable_open_request()->set_project(project);
    auto call = client.Connect();
    call.Send(request);
    return call;
  }
  bool HoldsNothing() {
    return broker.WaitForChannels(0) && broker.WaitForSessions(0) && broker.WaitForSilentStreams(0);
  }
};

TEST_CASE_METHOD(DeniedFixture, "Broker refuses who does not show a good certificate", "[denied]") {
  const TestRealm other;
  struct Bad {
    std::string what;
    std::optional<crypto::Identity> identity;
    std::string words;
  };
  const std::vector<Bad> all = {
      {"none", std::nullopt, "no client certificate"},
      {"another authority's", other.Issue(Role::kUser, "alice"), "another authority"},
      {"expired", realm.Issue(Role::kUser, "alice", "default", -hours(48), -hours(1)), "expired"},
      {"not valid yet", realm.Issue(Role::kUser, "alice", "default", hours(1), hours(2)),
       "not valid yet"},
  };
  for (const Bad& bad : all) {
    CAPTURE(bad.what);
    RawClient<V1> client = As(bad.identity);
    const grpc::Status opened = Open(client, "alice").End();
    CHECK(opened.error_code() == grpc::StatusCode::UNAUTHENTICATED);
    CHECK_THAT(opened.error_message(), Contains(bad.words));
    auto listen = client.Listen();
    listen.Send(RawClient<V1>::ListenRequest("alice", kCapable));
    CHECK(listen.End().error_code() == grpc::StatusCode::UNAUTHENTICATED);
    auto accept = client.Accept();
    accept.Send(RawClient<V1>::AcceptRequest("alice", 1, 1, kCapable));
    CHECK(accept.End().error_code() == grpc::StatusCode::UNAUTHENTICATED);
  }
  CHECK(HoldsNothing());
}

TEST_CASE_METHOD(DeniedFixture, "Broker refuses a revoked key", "[denied]") {
  const crypto::Identity alice = realm.Issue(Role::kUser, "alice");
  broker.Run([&](broker::Broker&) { realm.records.revoked.insert(alice.key.public_key().id()); });
  RawClient<V1> client = As(alice);
  const grpc::Status status = Open(client, "alice").End();
  CHECK(status.error_code() == grpc::StatusCode::UNAUTHENTICATED);
  CHECK_THAT(status.error_message(), Contains("revoked"));
}

TEST_CASE_METHOD(DeniedFixture, "Broker lets nobody be or reach what is not theirs", "[denied]") {
  RawClient<V1> alice = As(Role::kUser, "alice");
  RawClient<V1> edge = As(Role::kAgent, "edge-1");
  const auto denied = [](const grpc::Status& status, const std::string& words) {
    CHECK(status.error_code() == grpc::StatusCode::PERMISSION_DENIED);
    CHECK_THAT(status.error_message(), Contains(words));
  };
  SECTION("a user under another's name") {
    denied(Open(alice, "bob").End(), "the name \"bob\" is not that of user alice");
  }
  SECTION("a user in another project") {
    denied(Open(alice, "alice", "projects/other").End(), "user alice is of projects/default");
  }
  SECTION("a user whom no rule allows it") {
    broker.Run([&](broker::Broker&) { realm.records.denied = true; });
    denied(Open(alice, "alice").End(), "no rule");
  }
  SECTION("an agent under another's name") {
    auto listen = edge.Listen();
    listen.Send(RawClient<V1>::ListenRequest("edge-2", kCapable));
    denied(listen.End(), "agent edge-1 of projects/default may not be projects/default/edge-2");
  }
  SECTION("a user as an agent") {
    auto listen = alice.Listen();
    listen.Send(RawClient<V1>::ListenRequest("alice", kCapable));
    denied(listen.End(), "user alice is not an agent");
  }
  SECTION("an agent of the same name in another project") {
    RawClient<V1> foreign = As(realm.Issue(Role::kAgent, "edge-1", "other"));
    auto listen = foreign.Listen();
    listen.Send(RawClient<V1>::ListenRequest("edge-1", kCapable));
    denied(listen.End(), "agent edge-1 of projects/other may not be projects/default/edge-1");
  }
  CHECK(HoldsNothing());
}

TEST_CASE_METHOD(DeniedFixture, "Broker lets nobody take an agent's channel", "[denied]") {
  RawClient<V1> edge = As(Role::kAgent, "edge-1");
  RawProvider<V1> provider(edge, "edge-1", kCapable);
  RawClient<V1> alice = As(Role::kUser, "alice");
  auto opening = Open(alice, "alice");
  const auto offer = provider.Offer();
  CHECK(offer.consumer().spiffe_id() == "spiffe://culvert.internal/project/default/user/alice");

  const auto accept_as = [&](RawClient<V1>& client, const std::string& name, uint64_t session,
                             uint64_t channel) {
    auto accept = client.Accept();
    accept.Send(RawClient<V1>::AcceptRequest(name, session, channel, kCapable));
    return accept.End().error_code();
  };
  // The user himself, another agent, and an agent of that name with another key.
  CHECK(accept_as(alice, "edge-1", provider.session(), offer.channel_id()) ==
        grpc::StatusCode::PERMISSION_DENIED);
  RawClient<V1> other = As(Role::kAgent, "edge-2");
  CHECK(accept_as(other, "edge-1", provider.session(), offer.channel_id()) ==
        grpc::StatusCode::PERMISSION_DENIED);
  RawClient<V1> same_name = As(Role::kAgent, "edge-1");
  CHECK(accept_as(same_name, "edge-1", provider.session(), offer.channel_id()) ==
        grpc::StatusCode::NOT_FOUND);
  // Guessed ids.
  CHECK(accept_as(edge, "edge-1", provider.session() + 1, offer.channel_id()) ==
        grpc::StatusCode::NOT_FOUND);
  CHECK(accept_as(edge, "edge-1", provider.session(), offer.channel_id() + 1) ==
        grpc::StatusCode::NOT_FOUND);
  // Whose it is still may.
  auto accepted = provider.Accept(offer.channel_id());
  CHECK(opening.Next().open_response().channel_id() == offer.channel_id());
}

TEST_CASE_METHOD(DeniedFixture, "Broker takes an enrolment token once", "[denied]") {
  realm.records.token = "the-token";
  auto stub =
      culvert::v1::Identity::NewStub(ChannelAs(broker, realm.pki().authority(), std::nullopt));
  const auto enroll = [&](const std::string& token) {
    culvert::v1::EnrollRequest request;
    request.set_token(token);
    request.set_role("user");
    request.set_certificate_request(crypto::MakeCertificateRequest(crypto::PrivateKey::Generate()));
    grpc::ClientContext context;
    culvert::v1::CertificateResponse response;
    const grpc::Status status = stub->Enroll(&context, request, &response);
    CHECK(status.ok() == !response.certificate().empty());
    return status.error_code();
  };
  CHECK(enroll("another") == grpc::StatusCode::UNAUTHENTICATED);
  CHECK(enroll("the-token") == grpc::StatusCode::OK);
  CHECK(enroll("the-token") == grpc::StatusCode::UNAUTHENTICATED);
}

TEST_CASE_METHOD(DeniedFixture, "Broker renews a certificate only for the key of the connection",
                 "[denied]") {
  const crypto::Identity alice = realm.Issue(Role::kUser, "alice");
  auto stub = culvert::v1::Identity::NewStub(ChannelAs(broker, realm.pki().authority(), alice));
  culvert::v1::RenewRequest request;
  request.set_certificate_request(crypto::MakeCertificateRequest(crypto::PrivateKey::Generate()));
  culvert::v1::CertificateResponse response;
  {
    grpc::ClientContext context;
    CHECK(stub->Renew(&context, request, &response).error_code() ==
          grpc::StatusCode::PERMISSION_DENIED);
  }
  request.set_certificate_request(crypto::MakeCertificateRequest(alice.key));
  grpc::ClientContext context;
  REQUIRE(stub->Renew(&context, request, &response).ok());
  const auto renewed = crypto::Certificate::FromPem(response.certificate());
  REQUIRE(renewed.ok());
  CHECK(renewed->public_key() == alice.key.public_key());
  CHECK(renewed->spiffe_id() == alice.certificate.spiffe_id());
}

TEST_CASE_METHOD(DeniedFixture, "Broker serves no method under another spelling", "[denied]") {
  const auto channel =
      ChannelAs(broker, realm.pki().authority(), realm.Issue(Role::kUser, "alice"));
  for (const std::string method :
       {"//ntt.proxies.v1.BrokerService/Connect", "ntt.proxies.v1.BrokerService/Connect",
        "/ntt.proxies.v1.BrokerService//Connect", "/ntt.proxies.v1.BrokerService/Connect/",
        "/ntt.proxies.v1.brokerservice/connect", "/x/../ntt.proxies.v1.BrokerService/Connect",
        "/culvert.v1.Identity/enroll"}) {
    CAPTURE(method);
    const grpc::internal::RpcMethod rpc_method(method.c_str(),
                                               grpc::internal::RpcMethod::NORMAL_RPC, channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    culvert::v1::WhoAmIResponse response;
    const grpc::Status status =
        grpc::internal::BlockingUnaryCall<culvert::v1::WhoAmIRequest, culvert::v1::WhoAmIResponse>(
            channel.get(), rpc_method, &context, {}, &response);
    CHECK(status.error_code() == grpc::StatusCode::UNIMPLEMENTED);
  }
  CHECK(HoldsNothing());
}

TEST_CASE_METHOD(DeniedFixture, "Broker takes no more metadata than fits its limit", "[denied]") {
  auto stub = culvert::v1::Identity::NewStub(
      ChannelAs(broker, realm.pki().authority(), realm.Issue(Role::kUser, "alice")));
  const auto ask = [&](size_t bytes) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    // The connection of a call that was refused like that may be given up.
    context.set_wait_for_ready(true);
    context.AddMetadata("authorization", std::string(bytes, 'a'));
    culvert::v1::WhoAmIResponse response;
    return stub->WhoAmI(&context, {}, &response).error_code();
  };
  CHECK(ask(1'000) == grpc::StatusCode::OK);
  CHECK(ask(64'000) == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(ask(1'000) == grpc::StatusCode::OK);
}

}  // namespace
}  // namespace culvert::test
