// What the broker carries between the two ends of an open channel, and how it ends them.
#include <grpcpp/create_channel_posix.h>
#include <sys/socket.h>

#include "tests/integration/broker_fixture.h"
#include "tests/support/loopback.h"

namespace culvert::test {
namespace {

using grpc::StatusCode;
using ConnectRequest = V1::ConnectRequest;
using AcceptRequest = V1::AcceptRequest;

TEST_CASE("Relay carries every kind of message both ways in order", "[broker]") {
  TestBroker broker;
  RawChannel<V1, V1> channel(broker, kCapable, kCapable);

  ConnectRequest data = DataMessage<ConnectRequest>(1, Pattern(256 * 1024));
  data.mutable_data()->set_ack_required(true);
  data.mutable_data()->set_end_of_stream(true);
  ConnectRequest ack;
  ack.mutable_ack()->set_id(7);
  ack.mutable_ack()->set_window(9);
  ConnectRequest error;
  error.mutable_error()->set_id(2);
  error.mutable_error()->set_message("reset");
  error.mutable_error()->set_code(culvert::v1::ERROR_CODE_RESET);
  for (const auto& message : {data, ack, error}) REQUIRE(channel.consumer.Send(message));
  CHECK(channel.accept.Next().data().SerializeAsString() == data.data().SerializeAsString());
  CHECK(channel.accept.Next().ack().SerializeAsString() == ack.ack().SerializeAsString());
  CHECK(channel.accept.Next().error().SerializeAsString() == error.error().SerializeAsString());

  AcceptRequest answer = DataMessage<AcceptRequest>(1, "");
  AcceptRequest back;
  *back.mutable_ack() = ack.ack();
  for (const auto& message : {answer, back, CloseMessage<AcceptRequest>(2)})
    REQUIRE(channel.accept.Send(message));
  CHECK(channel.consumer.Next().data().id() == 1);
  CHECK(channel.consumer.Next().ack().window() == 9);
  CHECK(channel.consumer.Next().close().id() == 2);
}

TEST_CASE("Relay carries what the consumer wrote before the channel was open", "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  auto consumer = client.Open("edge-1", kCapable);
  consumer.Send(DataMessage<ConnectRequest>(1, "early"));
  auto accept = provider.Accept(provider.Offer().channel_id());
  CHECK(accept.Next().has_accepted());
  CHECK(accept.Next().data().bytes() == "early");
}

TEMPLATE_TEST_CASE("Broker answers Ping with Pong on all three streams", "[broker]", V1, V1Alpha2) {
  TestBroker broker;
  RawChannel<TestType, TestType> channel(broker, kLegacy, kLegacy);
  for (int i = 0; i < 3; ++i) {
    channel.consumer.Send(PingMessage<typename TestType::ConnectRequest>());
    CHECK(channel.consumer.Next().has_pong());
    channel.provider.listen.Send(PingMessage<typename TestType::ListenRequest>());
    CHECK(channel.provider.listen.Next().has_pong());
    channel.accept.Send(PingMessage<typename TestType::AcceptRequest>());
    CHECK(channel.accept.Next().has_pong());
  }
  // The other end heard nothing of it.
  channel.consumer.Send(DataMessage<typename TestType::ConnectRequest>(1, "x"));
  CHECK(channel.accept.Next().has_data());
}

TEST_CASE("Relay ends a side that opens twice and tells the other that its path is lost",
          "[broker]") {
  TestBroker broker;
  RawChannel<V1, V1> channel(broker, kCapable, kCapable);
  SECTION("consumer") {
    channel.consumer.Send(RawClient<V1>::OpenRequest("edge-1", kCapable));
    CHECK(channel.consumer.End().error_code() == StatusCode::INVALID_ARGUMENT);
    CHECK(channel.accept.End().error_code() == StatusCode::UNAVAILABLE);
  }
  SECTION("provider") {
    channel.accept.Send(RawClient<V1>::AcceptRequest("edge-1", channel.provider.session(),
                                                     channel.offer.channel_id(), kCapable));
    CHECK(channel.accept.End().error_code() == StatusCode::INVALID_ARGUMENT);
    CHECK(channel.consumer.End().error_code() == StatusCode::UNAVAILABLE);
  }
}

TEST_CASE("Broker ends a message over 1 MiB with RESOURCE_EXHAUSTED", "[broker]") {
  TestBroker broker;
  RawChannel<V1, V1> channel(broker, kLegacy, kLegacy);
  channel.consumer.Send(DataMessage<ConnectRequest>(1, std::string(1024 * 1024 - 4096, 'x')));
  CHECK(channel.accept.Next().data().bytes().size() == 1024 * 1024 - 4096);

  channel.consumer.Send(DataMessage<ConnectRequest>(2, std::string(1024 * 1024 + 1, 'x')));
  CHECK(channel.consumer.End().error_code() == StatusCode::RESOURCE_EXHAUSTED);
  CHECK(channel.accept.End().error_code() == StatusCode::UNAVAILABLE);
}

TEST_CASE("Relay finishes both streams in order after a Close", "[broker]") {
  TestBroker broker;
  RawChannel<V1, V1> channel(broker, kLegacy, kLegacy);
  AcceptRequest ack;
  ack.mutable_ack()->set_id(1);
  SECTION("of the consumer") {
    channel.consumer.Send(CloseMessage<ConnectRequest>(1));
    channel.consumer.FinishWriting();
    CHECK(channel.accept.Next().has_close());
    channel.accept.Send(ack);
    channel.accept.FinishWriting();
    CHECK(channel.consumer.Next().has_ack());
  }
  SECTION("of the provider") {
    channel.accept.Send(CloseMessage<AcceptRequest>(1));
    channel.accept.FinishWriting();
    CHECK(channel.consumer.Next().has_close());
    channel.consumer.FinishWriting();
  }
  CHECK(channel.consumer.End().ok());
  CHECK(channel.accept.End().ok());
  CHECK(broker.WaitForChannels(0));
}

TEST_CASE("Relay tells what it means when one end finishes writing without Close", "[broker]") {
  TestBroker broker;
  const uint64_t leaver = GENERATE(kLegacy, kCapable);
  // A legacy peer means a reset by that. One of ours never does it.
  const StatusCode expected = leaver == kLegacy ? StatusCode::ABORTED : StatusCode::UNAVAILABLE;
  SECTION("the consumer") {
    RawChannel<V1, V1> channel(broker, leaver, kCapable);
    channel.consumer.FinishWriting();
    CHECK(channel.accept.End().error_code() == expected);
    CHECK(channel.consumer.End().ok());
  }
  SECTION("the provider") {
    RawChannel<V1, V1> channel(broker, kCapable, leaver);
    channel.accept.FinishWriting();
    CHECK(channel.consumer.End().error_code() == expected);
    CHECK(channel.accept.End().ok());
  }
}

TEST_CASE("Relay says that the path is lost when one end cancels its stream", "[broker]") {
  TestBroker broker;
  const uint64_t leaver = GENERATE(kLegacy, kCapable);
  SECTION("the consumer") {
    RawChannel<V1, V1> channel(broker, leaver, kCapable);
    channel.consumer.Cancel();
    const grpc::Status status = channel.accept.End();
    CHECK(status.error_code() == StatusCode::UNAVAILABLE);
    CHECK(status.error_message() == "path lost");
  }
  SECTION("the provider") {
    RawChannel<V1, V1> channel(broker, kCapable, leaver);
    channel.accept.Cancel();
    CHECK(channel.consumer.End().error_code() == StatusCode::UNAVAILABLE);
  }
}

TEST_CASE("Relay says that the path is lost when a connection breaks", "[broker]") {
  TestBroker broker;
  const uint64_t leaver = GENERATE(kLegacy, kCapable);
  const int fd = ConnectToLoopback(broker.port(), SOCK_NONBLOCK).Release();
  REQUIRE(fd >= 0);
  const std::shared_ptr<grpc::Channel> connection = grpc::CreateInsecureChannelFromFd("b", fd);
  RawChannel<V1, V1> channel(RawClient<V1>(connection), RawClient<V1>(broker.address()), leaver,
                             kCapable);

  REQUIRE(shutdown(fd, SHUT_RDWR) == 0);
  const grpc::Status status = channel.accept.End();
  CHECK(status.error_code() == StatusCode::UNAVAILABLE);
  CHECK(status.error_message() == "path lost");
  CHECK(broker.WaitForChannels(0));
}

TEST_CASE("Broker ends live channels with UNAVAILABLE when it stops", "[broker]") {
  TestBroker broker;
  RawChannel<V1, V1> channel(broker, kCapable, kCapable);
  broker.Stop();
  CHECK(channel.consumer.End().error_code() == StatusCode::UNAVAILABLE);
  CHECK(channel.accept.End().error_code() == StatusCode::UNAVAILABLE);
  CHECK(channel.provider.listen.End().error_code() == StatusCode::UNAVAILABLE);
}

TEMPLATE_TEST_CASE("Broker joins ends that speak different versions", "[broker]",
                   (std::pair<V1, V1Alpha2>), (std::pair<V1Alpha2, V1>)) {
  using ConsumerVersion = typename TestType::first_type;
  using ProviderVersion = typename TestType::second_type;
  TestBroker broker;
  RawChannel<ConsumerVersion, ProviderVersion> channel(broker, kLegacy, kLegacy);
  channel.consumer.Send(DataMessage<typename ConsumerVersion::ConnectRequest>(1, "PING"));
  CHECK(channel.accept.Next().data().bytes() == "PING");
  channel.accept.Send(DataMessage<typename ProviderVersion::AcceptRequest>(1, "PONG"));
  CHECK(channel.consumer.Next().data().bytes() == "PONG");
}

}  // namespace
}  // namespace culvert::test
