// The services beside the broker's own: health and reflection.
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/sync_stream.h>

#include <deque>

#include "rpc/limits.h"
#include "tests/integration/broker_fixture.h"

namespace culvert::test {
namespace {

using grpc::ByteBuffer;
using grpc::internal::RpcMethod;

ByteBuffer BufferOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return ByteBuffer(&slice, 1);
}

std::string TextOf(const ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  REQUIRE(buffer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices)
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

std::shared_ptr<grpc::Channel> ChannelTo(const TestBroker& broker) {
  return grpc::CreateChannel(broker.address(), grpc::InsecureChannelCredentials());
}

TEST_CASE("Broker's health service says SERVING", "[broker]") {
  TestBroker broker;
  const auto channel = ChannelTo(broker);
  const RpcMethod method("/grpc.health.v1.Health/Check", RpcMethod::NORMAL_RPC);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  ByteBuffer response;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<ByteBuffer, ByteBuffer>(
      channel.get(), method, &context, BufferOf(""), &response);
  CHECK(status.ok());
  CHECK(TextOf(response) == std::string("\x08\x01"));  // status = 1: SERVING
}

TEST_CASE("Broker's reflection service lists both broker services", "[broker]") {
  TestBroker broker;
  const auto channel = ChannelTo(broker);
  const RpcMethod method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                         RpcMethod::BIDI_STREAMING);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const std::unique_ptr<grpc::ClientReaderWriter<ByteBuffer, ByteBuffer>> call(
      grpc::internal::ClientReaderWriterFactory<ByteBuffer, ByteBuffer>::Create(channel.get(),
                                                                                method, &context));
  REQUIRE(call->Write(BufferOf("\x3a\x01*")));  // list_services = 7
  ByteBuffer response;
  REQUIRE(call->Read(&response));
  const std::string text = TextOf(response);
  CHECK(text.find("ntt.proxies.v1.BrokerService") != std::string::npos);
  CHECK(text.find("ntt.proxies.v1alpha2.BrokerService") != std::string::npos);
}

TEST_CASE("Broker's health service has no Watch", "[broker]") {
  TestBroker broker;
  const auto channel = ChannelTo(broker);
  const RpcMethod method("/grpc.health.v1.Health/Watch", RpcMethod::SERVER_STREAMING);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const std::unique_ptr<grpc::ClientReader<ByteBuffer>> call(
      grpc::internal::ClientReaderFactory<ByteBuffer>::Create(channel.get(), method, &context,
                                                              BufferOf("")));
  ByteBuffer response;
  CHECK_FALSE(call->Read(&response));
  CHECK(call->Finish().error_code() == grpc::StatusCode::UNIMPLEMENTED);
}

TEST_CASE("Broker serves a few reflection streams at a time", "[broker]") {
  TestBroker broker;
  const auto channel = ChannelTo(broker);
  const RpcMethod method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                         RpcMethod::BIDI_STREAMING);
  using Call = grpc::ClientReaderWriter<ByteBuffer, ByteBuffer>;
  std::deque<grpc::ClientContext> contexts;
  std::vector<std::unique_ptr<Call>> calls;
  int answered = 0;
  for (int i = 0; i < 50; ++i) {
    contexts.emplace_back();
    contexts.back().set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    calls.emplace_back(grpc::internal::ClientReaderWriterFactory<ByteBuffer, ByteBuffer>::Create(
        channel.get(), method, &contexts.back()));
    calls.back()->Write(BufferOf("\x3a\x01*"));
    ByteBuffer response;
    if (calls.back()->Read(&response)) {
      ++answered;
    } else {
      CHECK(calls.back()->Finish().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
    }
  }
  CHECK(answered > 0);
  CHECK(answered <= rpc::kMaxServingThreads);
  for (grpc::ClientContext& context : contexts) context.TryCancel();
}

}  // namespace
}  // namespace culvert::test
