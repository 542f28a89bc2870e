// Registrations of providers: names, domains, takeovers.
#include "tests/integration/broker_fixture.h"

namespace culvert::test {
namespace {

using grpc::StatusCode;
using Client = RawClient<V1>;

TEST_CASE("Broker finds a provider only under its own project and service domain", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  auto listen = client.Listen();
  auto request = Client::ListenRequest("edge-1", kCapable);
  request.mutable_open_request()->set_service_domain("ping.example.com");
  listen.Send(request);
  REQUIRE(listen.Next().has_listening());

  const auto open = [&](const std::string& project, const std::string& domain) {
    auto wanted = Client::OpenRequest("edge-1", kLegacy);
    wanted.mutable_open_request()->set_project(project);
    wanted.mutable_open_request()->set_service_domain(domain);
    auto call = client.Connect();
    call.Send(wanted);
    return call;
  };
  CHECK(open(kProject, "").End().error_code() == StatusCode::NOT_FOUND);
  CHECK(open(kProject, "other.example.com").End().error_code() == StatusCode::NOT_FOUND);
  CHECK(open("projects/other", "ping.example.com").End().error_code() == StatusCode::NOT_FOUND);
  auto found = open(kProject, "ping.example.com");
  CHECK(listen.Next().has_open_channel_response());
}

TEST_CASE("Broker reads no service domain from v1alpha2", "[broker]") {
  TestBroker broker;
  RawClient<V1> v1(broker.address());
  RawClient<V1Alpha2> v1alpha2(broker.address());

  SECTION("a consumer's opening reaches only a provider without a domain") {
    auto listen = v1.Listen();
    auto request = Client::ListenRequest("edge-1", kLegacy);
    request.mutable_open_request()->set_service_domain("ping.example.com");
    listen.Send(request);
    REQUIRE(listen.Next().has_listening());
    CHECK(v1alpha2.Open("edge-1", kLegacy).End().error_code() == StatusCode::NOT_FOUND);
  }
  SECTION("what stands in the field's place is skipped") {
    RawProvider<V1> provider(v1, "edge-1", kLegacy);
    auto request = RawClient<V1Alpha2>::OpenRequest("edge-1", kLegacy);
    // Field 7, length-delimited: service_domain in v1.
    auto& open = *request.mutable_open_request();
    open.GetReflection()->MutableUnknownFields(&open)->AddLengthDelimited(7, "ping.example.com");
    auto call = v1alpha2.Connect();
    call.Send(request);
    CHECK(provider.Offer().service() == "echo");
  }
}

TEST_CASE("Broker lets a second provider of a name take it over", "[broker]") {
  TestBroker broker;
  RawChannel<V1, V1> old(broker, kCapable, kCapable);
  Client client(broker.address());
  RawProvider<V1> second(client, "edge-1", kCapable);

  const grpc::Status status = old.provider.listen.End();
  CHECK(status.error_code() == StatusCode::ABORTED);
  CHECK(status.error_message() == "taken over by 127.0.0.1");
  CHECK(second.session() != old.provider.session());

  // New openings go to the new one, the old one's channels live on.
  auto consumer = client.Open("edge-1", kCapable);
  CHECK(second.Offer().service() == "echo");
  old.consumer.Send(DataMessage<V1::ConnectRequest>(1, "still here"));
  CHECK(old.accept.Next().data().bytes() == "still here");
}

TEST_CASE("Broker keeps a provider that came back when its older session ends", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  RawProvider<V1> first(client, "edge-1", kCapable);
  RawProvider<V1> second(client, "edge-1", kCapable);
  CHECK(first.listen.End().error_code() == StatusCode::ABORTED);
  auto consumer = client.Open("edge-1", kCapable);
  CHECK(second.Offer().service() == "echo");
}

TEST_CASE("Broker ends a registration that is opened twice", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  provider.listen.Send(Client::ListenRequest("edge-1", kCapable));
  CHECK(provider.listen.End().error_code() == StatusCode::INVALID_ARGUMENT);
  CHECK(broker.WaitForSessions(0));
}

TEST_CASE("Broker finishes a registration in order when the provider does", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  provider.listen.FinishWriting();
  CHECK(provider.listen.End().ok());
  CHECK(broker.WaitForSessions(0));
}

TEST_CASE("Broker answers the resume of a session that it lost with another session id",
          "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  ntt::proxies::v1::ListenRequest request;
  auto& resume = *request.mutable_resume_request();
  resume.set_project(kProject);
  resume.set_name("edge-1");
  resume.set_session_id(42);
  auto listen = client.Listen();
  listen.Send(request);
  const auto listening = listen.Next();
  CHECK(listening.listening().session_id() != 42);
  CHECK_FALSE(HasAdditions(listening));
}

TEST_CASE("Broker ignores a refusal of a channel that the provider was not offered", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  RawProvider<V1> other(client, "edge-2", kCapable);
  auto consumer = client.Open("edge-1", kCapable);
  const uint64_t channel = provider.Offer().channel_id();

  ntt::proxies::v1::ListenRequest refusal;
  refusal.mutable_channel_open_error()->set_channel_id(channel);
  other.listen.Send(refusal);
  other.listen.Send(PingMessage<V1::ListenRequest>());
  CHECK(other.listen.Next().has_pong());
  auto accept = provider.Accept(channel);
  CHECK(consumer.Next().has_open_response());
}

}  // namespace
}  // namespace culvert::test
