// A peer that sends without reading.
#include "tests/integration/broker_fake_fixture.h"

namespace culvert::test {
namespace {

using broker::Session;

TEST_CASE_METHOD(FakeBrokerFixture, "Broker reads no ping before the last one's pong is taken",
                 "[broker]") {
  OpenChannel();
  Transport* const stream = GENERATE_COPY(&listen, &consumer, &provider);
  const std::string ping = stream == &listen
                               ? PingMessage<V1::ListenRequest>().SerializeAsString()
                               : PingMessage<V1::ConnectRequest>().SerializeAsString();
  for (int round = 0; round < 3; ++round) {
    CHECK(stream->Flood(ping, 1000) == 1);
    CHECK(stream->writing.size() == 1);
    stream->TakeWrites();
  }
}

TEST_CASE_METHOD(FakeBrokerFixture, "Broker ends a Listen stream that is flooded with pings",
                 "[broker]") {
  Register(listen);
  const std::string ping = PingMessage<V1::ListenRequest>().SerializeAsString();
  const auto burst = static_cast<int>(Session::kPings.burst);
  const auto send = [&] {
    listen.TakeWrites();
    return listen.Flood(ping, 1) == 1;
  };
  for (int i = 0; i < burst; ++i) REQUIRE(send());
  CHECK_FALSE(listen.finished);
  SECTION("and so fast") {
    // The clock stands still, or moves by what a slow machine takes: less than a second.
    for (int i = 0; i < static_cast<int>(Session::kPings.per_second) && !listen.finished; ++i) {
      send();
    }
    REQUIRE(listen.finished);
    CHECK(absl::IsResourceExhausted(*listen.finished));
    CHECK(broker.sessions() == 0);
  }
  SECTION("but not for those of every second") {
    const MonotonicTime later = loop.Now() + std::chrono::milliseconds(200);
    REQUIRE(Run([&] { return loop.Now() >= later; }));
    for (int i = 0; i < 3; ++i) REQUIRE(send());
    CHECK_FALSE(listen.finished);
  }
}

TEST_CASE_METHOD(FakeBrokerFixture, "Broker ends a Listen stream that is flooded with refusals",
                 "[broker]") {
  Register(listen);
  listen.TakeWrites();
  V1::ListenRequest refusal;
  refusal.mutable_channel_open_error()->set_channel_id(7);
  const std::string message = refusal.SerializeAsString();
  const auto burst = static_cast<int>(Session::kRefusals.burst);
  CHECK(listen.Flood(message, burst) == burst);
  CHECK_FALSE(listen.finished);
  const auto second = static_cast<int>(Session::kRefusals.per_second);
  CHECK(listen.Flood(message, second) < second);
  REQUIRE(listen.finished);
  CHECK(absl::IsResourceExhausted(*listen.finished));
}

TEST_CASE_METHOD(FakeBrokerFixture, "Relay reads no message before the last one is taken",
                 "[broker]") {
  OpenChannel();
  const bool up = GENERATE(true, false);
  Transport& from = up ? consumer : provider;
  Transport& to = up ? provider : consumer;
  const std::string data = up ? DataMessage<V1::ConnectRequest>(1, "x").SerializeAsString()
                              : DataMessage<V1::AcceptRequest>(1, "x").SerializeAsString();
  for (int round = 0; round < 3; ++round) {
    CHECK(from.Flood(data, 1000) == 1);
    CHECK(to.writing.size() == 1);
    to.TakeWrites();
  }
  // The other direction is not held by that.
  from.Flood(data, 1);
  CHECK(to.reading);
}

TEST_CASE_METHOD(FakeBrokerFixture,
                 "Broker reads nothing of a consumer while its channel is opening", "[broker]") {
  Add(Method::kListen, listen, Client::ListenRequest("edge-1", kLegacy).SerializeAsString());
  Add(Method::kConnect, consumer, Client::OpenRequest("edge-1", kLegacy).SerializeAsString());
  CHECK_FALSE(consumer.reading);
}

TEST_CASE_METHOD(FakeBrokerFixture,
                 "Broker offers no more than 256 KiB to a provider that does not read its offers",
                 "[broker]") {
  Register(listen);
  const size_t arg = GENERATE(as<size_t>(), 0, 4096);
  auto request = Client::OpenRequest("edge-1", kLegacy);
  request.mutable_open_request()->set_arg(std::string(arg, 'x'));
  broker.SetLimits({100'000, 100'000});
  size_t refused = 0;
  while (refused < 100 && others.size() < 20'000) {
    others.emplace_back();
    Add(Method::kConnect, others.back(), request.SerializeAsString());
    if (others.back().finished) ++refused;
  }
  size_t bytes = 0;
  for (const std::string& frame : listen.writing) bytes += frame.size();
  CHECK(bytes <= Session::kMaxUnreadBytes);
  CHECK(bytes > Session::kMaxUnreadBytes - 5000);
  CHECK(refused == 100);

  // What was taken makes room.
  listen.TakeWrites();
  Open(consumer, kLegacy);
  CHECK_FALSE(consumer.finished);
}

}  // namespace
}  // namespace culvert::test
