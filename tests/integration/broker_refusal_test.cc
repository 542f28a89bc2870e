// What the broker refuses, and with which status.
#include <functional>

#include "tests/integration/broker_fixture.h"
#include "tests/support/eventually.h"

namespace culvert::test {
namespace {

using grpc::StatusCode;
using Client = RawClient<V1>;

TEMPLATE_TEST_CASE("Broker refuses a stream that does not begin with an opening", "[broker]", V1,
                   V1Alpha2) {
  TestBroker broker;
  RawClient<TestType> client(broker.address());
  const int first = GENERATE(0, 1, 2, 3);

  typename TestType::ConnectRequest connect;
  typename TestType::AcceptRequest accept;
  typename TestType::ListenRequest listen;
  listen.mutable_channel_open_error()->set_channel_id(1);
  if (first == 1) {
    connect = PingMessage<typename TestType::ConnectRequest>();
    accept = PingMessage<typename TestType::AcceptRequest>();
    listen = PingMessage<typename TestType::ListenRequest>();
  } else if (first == 2) {
    connect = DataMessage<typename TestType::ConnectRequest>(1, "too early");
    accept = DataMessage<typename TestType::AcceptRequest>(1, "too early");
  } else if (first == 3) {
    connect = CloseMessage<typename TestType::ConnectRequest>(1);
    accept = CloseMessage<typename TestType::AcceptRequest>(1);
    listen.Clear();
  }
  auto connecting = client.Connect();
  connecting.Send(connect);
  CHECK(connecting.End().error_code() == StatusCode::INVALID_ARGUMENT);
  auto accepting = client.Accept();
  accepting.Send(accept);
  CHECK(accepting.End().error_code() == StatusCode::INVALID_ARGUMENT);
  auto listening = client.Listen();
  listening.Send(listen);
  CHECK(listening.End().error_code() == StatusCode::INVALID_ARGUMENT);
}

TEST_CASE("Broker refuses a stream that ends without a message", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  auto call = client.Connect();
  call.FinishWriting();
  CHECK(call.End().error_code() == StatusCode::INVALID_ARGUMENT);
}

TEST_CASE("Broker ends a stream that sends no first message in 10 s", "[broker][slow]") {
  TestBroker broker;
  Client client(broker.address());
  const auto start = std::chrono::steady_clock::now();
  auto connect = client.Connect();
  auto listen = client.Listen();
  auto accept = client.Accept();
  CHECK(connect.End().error_code() == StatusCode::DEADLINE_EXCEEDED);
  CHECK(listen.End().error_code() == StatusCode::DEADLINE_EXCEEDED);
  CHECK(accept.End().error_code() == StatusCode::DEADLINE_EXCEEDED);
  CHECK(std::chrono::steady_clock::now() - start > std::chrono::seconds(9));
}

TEST_CASE("Broker ends a stream that has said nothing with UNAVAILABLE when it stops", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  auto call = client.Connect();
  // A stream that gRPC has not handed over when it stops is cancelled by gRPC itself.
  REQUIRE(broker.WaitForSilentStreams(1));
  broker.Stop();
  CHECK(call.End().error_code() == StatusCode::UNAVAILABLE);
}

TEST_CASE("Broker refuses a consumer's opening whose fields are not usable", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  const std::string long_name(129, 'n');
  using Open = ntt::proxies::v1::ConnectRequest::OpenRequest;
  struct Row {
    std::function<void(Open&)> spoil;
    StatusCode expected;
  };
  const auto row = GENERATE_COPY(values<Row>({
      {[](Open& open) { open.set_project("default"); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_project("projects/"); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_provider_name(""); }, StatusCode::INVALID_ARGUMENT},
      {[=](Open& open) { open.set_provider_name(long_name); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_provider_name("a b"); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_name("a\nb"); }, StatusCode::INVALID_ARGUMENT},
      {[=](Open& open) { open.set_name(long_name); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_service(""); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_service_domain("a/b"); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_arg(std::string(4097, 'x')); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_service("tcp"); }, StatusCode::INVALID_ARGUMENT},
      {[](Open& open) { open.set_region_id("elsewhere"); }, StatusCode::NOT_FOUND},
  }));
  auto request = Client::OpenRequest("edge-1", kLegacy);
  row.spoil(*request.mutable_open_request());
  auto call = client.Connect();
  call.Send(request);
  const grpc::Status status = call.End();
  CHECK(status.error_code() == row.expected);
  CHECK(status.error_message().find('\n') == std::string::npos);
  CHECK_FALSE(status.error_message().empty());
}

TEST_CASE("Broker takes its own region's name for its own region", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  auto request = Client::OpenRequest("edge-1", kCapable);
  request.mutable_open_request()->set_region_id(TestBroker::kRegion);
  auto call = client.Connect();
  call.Send(request);
  CHECK(provider.Offer().service() == "echo");
}

TEST_CASE("Broker accepts a channel only from the session that it was offered to", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  RawProvider<V1> other(client, "edge-2", kCapable);
  auto consumer = client.Open("edge-1", kCapable);
  const uint64_t channel = provider.Offer().channel_id();
  const auto refused = [&](const std::string& name, uint64_t session, uint64_t id) {
    auto call = client.Accept();
    call.Send(Client::AcceptRequest(name, session, id, kCapable));
    return call.End().error_code();
  };
  CHECK(refused("edge-1", provider.session() + 1, channel) == StatusCode::NOT_FOUND);
  CHECK(refused("edge-1", provider.session(), channel + 1) == StatusCode::NOT_FOUND);
  CHECK(refused("edge-2", provider.session(), channel) == StatusCode::NOT_FOUND);
  CHECK(refused("edge-2", other.session(), channel) == StatusCode::NOT_FOUND);

  // None of that has hurt the opening.
  auto accept = provider.Accept(channel);
  CHECK(consumer.Next().has_open_response());
  CHECK(refused("edge-1", provider.session(), channel) == StatusCode::NOT_FOUND);
}

TEST_CASE("Broker says OUT_OF_RANGE to a resume of a channel that it does not hold", "[broker]") {
  TestBroker broker;
  Client client(broker.address());
  ntt::proxies::v1::ConnectRequest connect;
  connect.mutable_resume_request()->set_project(kProject);
  connect.mutable_resume_request()->set_provider_name("edge-1");
  auto call = client.Connect();
  call.Send(connect);
  CHECK(call.End().error_code() == StatusCode::OUT_OF_RANGE);
}

TEST_CASE("Broker limits the streams of one address", "[broker]") {
  TestBroker broker({/*streams_per_address=*/2, /*pending_per_address=*/100});
  Client client(broker.address());
  RawProvider<V1> first(client, "edge-1", kCapable);
  RawProvider<V1> second(client, "edge-2", kCapable);

  const grpc::Status refused = client.Open("edge-1", kCapable).End();
  CHECK(refused.error_code() == StatusCode::RESOURCE_EXHAUSTED);
  CHECK(refused.error_message() == "too many streams from 127.0.0.1 (limit 2)");

  second.listen.FinishWriting();
  REQUIRE(broker.WaitForSessions(1));
  auto consumer = client.Open("edge-1", kCapable);
  CHECK(first.Offer().service() == "echo");
}

TEST_CASE("Broker limits the openings under way of one address", "[broker]") {
  TestBroker broker({/*streams_per_address=*/100, /*pending_per_address=*/2});
  Client client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  auto first = client.Open("edge-1", kCapable);
  const uint64_t channel = provider.Offer().channel_id();
  auto second = client.Open("edge-1", kCapable);
  provider.Offer();
  CHECK(client.Open("edge-1", kCapable).End().error_code() == StatusCode::RESOURCE_EXHAUSTED);

  // An opening that is over, either way, is none under way.
  second.Cancel();
  REQUIRE(provider.listen.Next().notice().has_cut());
  auto accept = provider.Accept(channel);
  CHECK(first.Next().has_open_response());
  auto third = client.Open("edge-1", kCapable);
  CHECK(provider.Offer().service() == "echo");
}

TEST_CASE("Broker lets a provider accept when its address has its limit of openings under way",
          "[broker]") {
  TestBroker broker({/*streams_per_address=*/100, /*pending_per_address=*/1});
  Client client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  auto consumer = client.Open("edge-1", kCapable);
  auto accept = provider.Accept(provider.Offer().channel_id());
  CHECK(consumer.Next().has_open_response());
}

}  // namespace
}  // namespace culvert::test
