// The SDK against a peer that breaks the rules: a stream that the test drives by hand.
#include <grpcpp/impl/codegen/sync_stream.h>

#include "tests/integration/broker_fixture.h"
#include "tests/integration/sdk_fixture.h"

namespace culvert::test {
namespace {

using grpc::StatusCode;

// A Consumer whose provider is the test.
struct AtConsumer {
  using Request = V1::AcceptRequest;
  TestBroker broker;
  RawClient<V1> client{broker.address()};
  RawProvider<V1> provider{client, "edge-1", kCapable};
  TestConsumer sdk{broker.address()};
  std::shared_ptr<Probe> probe = sdk.Connect("probe");
  RawClient<V1>::AcceptCall call = provider.Accept(provider.Offer().channel_id());

  AtConsumer() {
    REQUIRE(call.Next().has_accepted());
    REQUIRE(probe->Wait([](const Probe& seen) { return seen.opened; }));
  }
};

// A Provider whose consumer is the test.
struct AtProvider {
  using Request = V1::ConnectRequest;
  TestBroker broker;
  TestProvider sdk{broker.address()};
  RawClient<V1> client{broker.address()};
  RawClient<V1>::ConnectCall call = client.Connect();
  std::shared_ptr<Probe> probe;

  AtProvider() {
    REQUIRE(sdk.WaitForRegistrations(1));
    auto request = RawClient<V1>::OpenRequest("edge-1", kCapable);
    request.mutable_open_request()->set_service("probe");
    call.Send(request);
    REQUIRE(call.Next().has_open_response());
    probe = sdk.Service(0);
  }
};

// Reads until an Ack says `id`; nothing but Acks may come.
template <typename Call>
void ReadAck(Call& call, uint64_t id) {
  while (true) {
    const auto message = call.Next();
    REQUIRE(message.has_ack());
    REQUIRE(message.ack().id() <= id);
    if (message.ack().id() == id) return;
  }
}

// Reads until an Error comes.
template <typename Call>
auto ReadError(Call& call) {
  while (true) {
    const auto message = call.Next();
    if (message.has_error()) return message.error();
  }
}

TEMPLATE_TEST_CASE("SDK drops duplicates and acknowledges them again", "[sdk]", AtConsumer,
                   AtProvider) {
  TestType at;
  using Request = typename TestType::Request;
  at.call.Send(DataMessage<Request>(1, "once"));
  ReadAck(at.call, 1);
  at.call.Send(DataMessage<Request>(1, "once"));
  ReadAck(at.call, 1);
  at.call.Send(DataMessage<Request>(2, " and more"));
  ReadAck(at.call, 2);
  CHECK(at.probe->received == "once and more");
}

TEMPLATE_TEST_CASE("SDK gives a path up that carries an id from the future", "[sdk]", AtConsumer,
                   AtProvider) {
  TestType at;
  const uint64_t id = GENERATE(uint64_t{2}, UINT64_MAX);
  at.call.Send(DataMessage<typename TestType::Request>(id, "from the future"));
  CHECK(at.call.End().error_code() == StatusCode::UNAVAILABLE);
  CHECK(ErrorCodeOf(at.probe->WaitForClose()) == ErrorCode::kPathLost);
  CHECK(at.probe->received.empty());
}

TEMPLATE_TEST_CASE("SDK ends a channel whose peer breaks the protocol", "[sdk]", AtConsumer,
                   AtProvider) {
  TestType at;
  using Request = typename TestType::Request;
  at.probe->take = false;
  SECTION("with an ack for what was never sent") {
    Request ack;
    ack.mutable_ack()->set_id(5);
    at.call.Send(ack);
  }
  SECTION("with a Close before both directions have ended") {
    at.call.Send(CloseMessage<Request>(1));
  }
  SECTION("with more than the window") {
    // What is being delivered counts until it is taken.
    for (uint64_t id = 1; id <= 3; ++id)
      at.call.Send(DataMessage<Request>(id, std::string(200'000, 'x')));
  }
  SECTION("with a message that is too large") {
    at.call.Send(DataMessage<Request>(1, std::string(256 * 1024 + 1, 'x')));
  }
  SECTION("with data after its end") {
    Request last = DataMessage<Request>(1, "");
    last.mutable_data()->set_end_of_stream(true);
    at.call.Send(last);
    at.call.Send(DataMessage<Request>(2, "x"));
  }
  CHECK(ReadError(at.call).code() == culvert::v1::ERROR_CODE_PROTOCOL);
  CHECK(ErrorCodeOf(at.probe->WaitForClose()) == ErrorCode::kProtocol);
}

TEMPLATE_TEST_CASE("SDK takes the peer's Error over data that waits", "[sdk]", AtConsumer,
                   AtProvider) {
  TestType at;
  using Request = typename TestType::Request;
  at.probe->take = false;
  at.call.Send(DataMessage<Request>(1, "first"));
  at.call.Send(DataMessage<Request>(2, "never delivered"));
  Request error;
  error.mutable_error()->set_id(3);
  error.mutable_error()->set_message("no route");
  error.mutable_error()->set_code(culvert::v1::ERROR_CODE_UNREACHABLE);
  at.call.Send(error);
  ReadAck(at.call, 3);
  CHECK(ErrorCodeOf(at.probe->WaitForClose()) == ErrorCode::kUnreachable);
  CHECK(at.probe->received == "first");
}

TEST_CASE("SDK gives a path up that carries a message which does not parse", "[sdk]") {
  using grpc::ByteBuffer;
  using grpc::internal::RpcMethod;
  TestBroker broker;
  TestProvider sdk(broker.address());
  REQUIRE(sdk.WaitForRegistrations(1));
  const auto channel = grpc::CreateChannel(broker.address(), grpc::InsecureChannelCredentials());
  const RpcMethod method("/ntt.proxies.v1.BrokerService/Connect", RpcMethod::BIDI_STREAMING);
  RawCall<ByteBuffer, ByteBuffer> call([&](grpc::ClientContext* context) {
    return std::unique_ptr<grpc::ClientReaderWriter<ByteBuffer, ByteBuffer>>(
        grpc::internal::ClientReaderWriterFactory<ByteBuffer, ByteBuffer>::Create(channel.get(),
                                                                                  method, context));
  });
  const auto send = [&](const std::string& bytes) {
    const grpc::Slice slice(bytes);
    call.Send(ByteBuffer(&slice, 1));
  };
  auto request = RawClient<V1>::OpenRequest("edge-1", kCapable);
  request.mutable_open_request()->set_service("probe");
  send(request.SerializeAsString());
  auto service = sdk.Service(0);

  // ConnectRequest.data = 4 with a body that stops inside a field; the envelope itself is sound.
  send(std::string("\x22\x01\x08"));
  CHECK(call.End().error_code() == StatusCode::UNAVAILABLE);
  CHECK(ErrorCodeOf(service->WaitForClose()) == ErrorCode::kProtocol);
}

TEST_CASE("Broker refuses an envelope that does not parse", "[broker]") {
  TestBroker broker;
  RawChannel<V1, V1> channel(broker, kCapable, kCapable);
  // A length-delimited field that no version has, beside a member: two members at once.
  V1::ConnectRequest two = DataMessage<V1::ConnectRequest>(1, "x");
  two.GetReflection()->MutableUnknownFields(&two)->AddLengthDelimited(5, "");
  channel.consumer.Send(two);
  CHECK(channel.consumer.End().error_code() == StatusCode::INVALID_ARGUMENT);
  CHECK(channel.accept.End().error_code() == StatusCode::UNAVAILABLE);
}

TEST_CASE("SDK notices that a legacy peer went away while nothing is taken of it", "[sdk][slow]") {
  TestBroker broker;
  ClientOptions options = InsecureOptions({broker.address()}, "edge-1");
  options.resume_timeout = 0s;  // a lost path is the end
  TestProvider sdk(options);
  REQUIRE(sdk.WaitForRegistrations(1));
  RawClient<V1> client(broker.address());
  auto call = client.Open("edge-1", kLegacy);
  auto probe = sdk.Service(0);
  probe->take = false;
  REQUIRE(call.Next().has_open_response());
  for (uint64_t id = 1; id <= 4; ++id)
    call.Send(DataMessage<V1::ConnectRequest>(id, std::string(100'000, 'x')));
  REQUIRE(probe->Wait([](const Probe& seen) { return !seen.received.empty(); }));
  call.Cancel();
  CHECK(ErrorCodeOf(probe->WaitForClose()) == ErrorCode::kPathLost);
}

}  // namespace
}  // namespace culvert::test
