// What a broker with identities refuses before it looks at who asks, and at enrolment and renewal.
#include <grpcpp/impl/codegen/client_unary_call.h>

#include "base/status.h"
#include "crypto/certificate_request.h"
#include "tests/integration/broker_denied_fixture.h"

namespace culvert::test {
namespace {

using Code = grpc::StatusCode;
using Role = crypto::SpiffeId::Role;
using IdentityStub = culvert::v1::Identity::Stub;

culvert::v1::EnrollRequest Enrolment(const std::string& token, const crypto::PrivateKey& key) {
  culvert::v1::EnrollRequest request;
  request.set_token(token);
  request.set_role("user");
  request.set_certificate_request(crypto::MakeCertificateRequest(key));
  return request;
}

TEST_CASE_METHOD(DeniedFixture, "Broker takes an enrolment token once", "[denied]") {
  realm.records.token = "the-token";
  const auto nobody = ChannelAs(Shown());
  const crypto::PrivateKey key = crypto::PrivateKey::Generate();
  const auto enroll = [&](const culvert::v1::EnrollRequest& request) {
    return Ask(nobody, &IdentityStub::Enroll, request);
  };
  CheckDenied(enroll(Enrolment("another", key)), Code::UNAUTHENTICATED, "token");
  CheckDenied(enroll(Enrolment("", key)), Code::UNAUTHENTICATED, "token");
  // What is wrong with the request costs no token.
  auto bad = Enrolment("the-token", key);
  bad.set_certificate_request("no request");
  CheckDenied(enroll(bad), Code::INVALID_ARGUMENT, "certificate request");
  bad = Enrolment("the-token", key);
  bad.set_role("broker");
  CheckDenied(enroll(bad), Code::INVALID_ARGUMENT, "expected agent or user");
  CHECK(enroll(Enrolment("the-token", key)).ok());
  CheckDenied(enroll(Enrolment("the-token", crypto::PrivateKey::Generate())), Code::UNAUTHENTICATED,
              "token");
  CheckNothingStays();
}

TEST_CASE_METHOD(DeniedFixture, "Broker renews a certificate only for the key of the connection",
                 "[denied]") {
  const crypto::Identity alice = realm.Issue(Role::kUser, "alice");
  const auto channel = ChannelAs(Shown::Of(alice));
  culvert::v1::RenewRequest request;
  request.set_certificate_request(crypto::MakeCertificateRequest(crypto::PrivateKey::Generate()));
  CheckDenied(Ask(channel, &IdentityStub::Renew, request), Code::PERMISSION_DENIED,
              "another key than the connection's");

  request.set_certificate_request(crypto::MakeCertificateRequest(alice.key));
  grpc::ClientContext context;
  culvert::v1::CertificateResponse response;
  REQUIRE(culvert::v1::Identity::NewStub(channel)->Renew(&context, request, &response).ok());
  const auto renewed = crypto::Certificate::FromPem(response.certificate());
  REQUIRE(renewed.ok());
  CHECK(renewed->public_key() == alice.key.public_key());
  CHECK(renewed->spiffe_id() == alice.certificate.spiffe_id());
  CheckNothingStays();
}

TEST_CASE_METHOD(DeniedFixture, "Broker serves no method under another spelling", "[denied]") {
  for (const auto& channel : {ChannelAs(Role::kUser, "alice"), ChannelAs(Shown())}) {
    for (const std::string method :
         {"//ntt.proxies.v1.BrokerService/Connect", "ntt.proxies.v1.BrokerService/Connect",
          "/ntt.proxies.v1.BrokerService//Connect", "/ntt.proxies.v1.BrokerService/Connect/",
          "/ntt.proxies.v1.BrokerService/Connect?", "/ntt.proxies.v1.BrokerService/%43onnect",
          "/ntt.proxies.v1.brokerservice/connect", "/x/../ntt.proxies.v1.BrokerService/Connect",
          "/ntt.proxies.v1.BrokerService/Enroll", "/culvert.v1.Identity/enroll", "/", ""}) {
      CAPTURE(method);
      const grpc::internal::RpcMethod rpc_method(method.c_str(),
                                                 grpc::internal::RpcMethod::NORMAL_RPC, channel);
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
      culvert::v1::WhoAmIResponse response;
      const grpc::Status status = grpc::internal::BlockingUnaryCall<culvert::v1::WhoAmIRequest,
                                                                    culvert::v1::WhoAmIResponse>(
          channel.get(), rpc_method, &context, {}, &response);
      CheckDenied(status, Code::UNIMPLEMENTED, "");
    }
  }
  CheckNothingStays();
}

TEST_CASE_METHOD(DeniedFixture, "Broker takes no more metadata than fits its limit", "[denied]") {
  const Shown alice = Shown::Of(realm.Issue(Role::kUser, "alice"));
  const auto ask = [this](const Shown& shown, size_t bytes) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    context.AddMetadata("authorization", std::string(bytes, 'a'));
    culvert::v1::WhoAmIResponse response;
    // Each on a connection of its own: one that had too much may be given up.
    return culvert::v1::Identity::NewStub(ChannelAs(shown))->WhoAmI(&context, {}, &response);
  };
  for (const auto& [shown, otherwise] :
       {std::pair(alice, Code::OK), std::pair(Shown(), Code::UNAUTHENTICATED)}) {
    CHECK(ask(shown, 1'000).error_code() == otherwise);
    for (const size_t bytes : {size_t{10'000}, size_t{64'000}})
      CheckDenied(ask(shown, bytes), Code::RESOURCE_EXHAUSTED, "");
    CHECK(ask(shown, 1'000).error_code() == otherwise);
  }
  CheckNothingStays();
}

TEST_CASE_METHOD(DeniedFixture, "Broker takes no message beyond its limit from anybody",
                 "[denied]") {
  for (const auto& channel : {ChannelAs(Role::kUser, "alice"), ChannelAs(Shown())}) {
    Client client(channel);
    auto request = Client::OpenRequest("edge-1", kCapable);
    request.mutable_open_request()->set_arg(std::string(2'000'000, 'a'));
    auto call = client.Connect();
    call.Send(request);
    CheckDenied(call.End(), Code::RESOURCE_EXHAUSTED, "");
  }
  CheckNothingStays();
}

}  // namespace
}  // namespace culvert::test
