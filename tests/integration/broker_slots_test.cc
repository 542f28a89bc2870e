// Streams count until gRPC holds nothing of them any more.
#include "tests/integration/broker_fake_fixture.h"

namespace culvert::test {
namespace {

using broker::Admission;

constexpr char kAddress[] = "127.0.0.1";

struct SlotFixture : FakeBrokerFixture {
  SlotFixture() : FakeBrokerFixture({.start_wait = Duration::zero()}, {2, 100}) {}
};

TEST_CASE_METHOD(SlotFixture, "Stream that is finished counts until it is done", "[broker]") {
  for (int i = 0; i < 2; ++i) {
    others.emplace_back();
    Open(others.back());  // of an unknown agent
    REQUIRE(others.back().finished);
  }
  Turn();
  CHECK(broker.counted_streams(kAddress) == 2);
  Add(Method::kConnect, consumer);
  REQUIRE(consumer.finished);
  CHECK(absl::IsResourceExhausted(*consumer.finished));

  others.front().Done();
  CHECK(broker.counted_streams(kAddress) == 1);
  Add(Method::kConnect, provider);
  CHECK_FALSE(provider.finished);
}

TEST_CASE_METHOD(SlotFixture, "Broker cancels refused streams that their client does not read",
                 "[broker]") {
  broker.SetLimits({0, 0});
  for (uint64_t i = 0; i < Admission::kMaxRefused; ++i) {
    others.emplace_back();
    Add(Method::kAccept, others.back());
    REQUIRE(others.back().finished);
  }
  Add(Method::kAccept, consumer);
  CHECK(consumer.dropped);

  others.front().Done();
  Add(Method::kAccept, provider);
  CHECK(provider.finished);
}

TEST_CASE_METHOD(SlotFixture, "Health check counts as a stream", "[broker]") {
  Add(Method::kHealthCheck, consumer, "");
  CHECK(consumer.writing.back() == "\x08\x01");
  REQUIRE(consumer.finished);
  CHECK(consumer.finished->ok());
  CHECK(broker.counted_streams(kAddress) == 1);
}

TEST_CASE_METHOD(SlotFixture, "Health check of a named service is NOT_FOUND", "[broker]") {
  Add(Method::kHealthCheck, consumer, "\x0a\x01x");
  REQUIRE(consumer.finished);
  CHECK(absl::IsNotFound(*consumer.finished));
}

// 200 consumers send 180 KB each, which the broker does not read before their channels are open.
size_t OpeningsWithData(size_t memory, Duration patience) {
  TestBroker broker({}, 0, {.start_wait = Duration::zero()}, {.memory = memory});
  RawClient<V1> client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  std::vector<RawClient<V1>> clients;
  std::vector<RawClient<V1>::ConnectCall> calls;
  const auto data = DataMessage<V1::ConnectRequest>(1, std::string(60'000, 'x'));
  for (int i = 0; i < 200; ++i) {
    if (i % 50 == 0) clients.emplace_back(broker.address());
    calls.push_back(clients.back().Open("edge-1", kCapable));
    for (int sent = 0; sent < 3; ++sent) calls.back().Send(data);
  }
  broker.WaitForChannels(200, patience);
  size_t channels = 0;
  broker.Run([&](Broker& now) { channels = now.channels(); });
  for (auto& call : calls) call.Cancel();
  return channels;
}

TEST_CASE("Server's quota bounds what is held of all streams together", "[broker]") {
  CHECK(OpeningsWithData(size_t{1} << 30, std::chrono::seconds(30)) == 200);
  CHECK(OpeningsWithData(size_t{4} << 20, std::chrono::seconds(1)) < 100);
}

// gRPC takes memory back while the broker's own thread lets go of messages.
TEST_CASE("Server survives a quota that is used up again and again", "[broker][slow]") {
  for (int round = 0; round < 60; ++round)
    OpeningsWithData(size_t{1} << (20 + round % 4), std::chrono::milliseconds(20));
}

}  // namespace
}  // namespace culvert::test
