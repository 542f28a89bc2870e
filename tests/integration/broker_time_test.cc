// How long an opening may take, and who ends it.
#include <set>

#include "tests/integration/broker_fake_fixture.h"

namespace culvert::test {
namespace {

using namespace std::chrono_literals;

V1::ListenRequest Refusal(uint64_t channel, culvert::v1::ErrorCode code, const std::string& text) {
  V1::ListenRequest request;
  request.mutable_channel_open_error()->set_channel_id(channel);
  request.mutable_channel_open_error()->set_code(code);
  request.mutable_channel_open_error()->set_message(text);
  return request;
}

struct ShortOpening : FakeBrokerFixture {
  ShortOpening() : FakeBrokerFixture({.start_wait = 0ms, .opening = 100ms}) {}
};

TEST_CASE_METHOD(ShortOpening, "Opening ends in its time however often its provider registers",
                 "[broker]") {
  Register(listen);
  Open(consumer);
  net::Timer timer(loop);
  std::function<void()> register_again = [&] {
    others.emplace_back();
    Register(others.back());
    timer.Start(20ms, [&] { register_again(); });
  };
  register_again();
  REQUIRE(Run([&] { return consumer.finished.has_value(); }));
  CHECK(absl::IsDeadlineExceeded(*consumer.finished));
  CHECK(Last<V1::ConnectResponse>(consumer).channel_open_error().code() ==
        culvert::v1::ERROR_CODE_TIMEOUT);
}

TEST_CASE_METHOD(ShortOpening, "Opening ends in its time while its provider is away", "[broker]") {
  Register(listen);
  listen.delegate->OnPeerFinished();
  Open(consumer);
  REQUIRE(Run([&] { return consumer.finished.has_value(); }));
  CHECK(absl::IsNotFound(*consumer.finished));
  CHECK(Last<V1::ConnectResponse>(consumer).channel_open_error().code() ==
        culvert::v1::ERROR_CODE_OFFLINE);
}

TEST_CASE_METHOD(FakeBrokerFixture, "Broker draws another channel id three times at most",
                 "[broker]") {
  Register(listen);
  Open(consumer);
  std::set<uint64_t> offered;
  for (int refusals = 0; refusals < 4; ++refusals) {
    CHECK_FALSE(consumer.finished);
    offered.insert(Offered(listen));
    listen.TakeWrites();
    REQUIRE(listen.Flood(Refusal(*offered.rbegin(), culvert::v1::ERROR_CODE_ALREADY_EXISTS, "")
                             .SerializeAsString(),
                         1) == 1);
    if (refusals < 3) {
      // The id that the provider was asked for last, not the greatest.
      REQUIRE_FALSE(listen.writing.empty());
      REQUIRE(offered.count(Offered(listen)) == 0);
      offered = {Offered(listen)};
    }
  }
  CHECK(listen.writing.empty());
  REQUIRE(consumer.finished);
  CHECK(Last<V1::ConnectResponse>(consumer).channel_open_error().code() ==
        culvert::v1::ERROR_CODE_ALREADY_EXISTS);
}

TEST_CASE_METHOD(FakeBrokerFixture, "Broker cuts a refusal's text between characters", "[broker]") {
  Register(listen);
  Open(consumer);
  const std::string text = std::string(511, 'x') + "\xC3\xA9";
  listen.Flood(Refusal(Offered(listen), culvert::v1::ERROR_CODE_DENIED, text).SerializeAsString(),
               1);
  CHECK(Last<V1::ConnectResponse>(consumer).channel_open_error().message() ==
        std::string(511, 'x'));
}

TEST_CASE_METHOD(FakeBrokerFixture, "Broker tells the provider where the consumer is", "[broker]") {
  Register(listen);
  Open(consumer);
  CHECK(Last<V1::ListenResponse>(listen).open_channel_response().consumer().address() ==
        "127.0.0.1:4022");
}

// --- a broker that has just started ---

TEST_CASE("Broker that has just started waits for a provider that it never heard of", "[broker]") {
  FakeBrokerFixture young({.start_wait = 5s});
  young.Open(young.consumer);
  CHECK_FALSE(young.consumer.finished);
  young.Register(young.listen);
  CHECK(young.Offered(young.listen) != 0);
}

TEST_CASE("Broker says \"unknown\" when its first time is over", "[broker]") {
  FakeBrokerFixture young({.start_wait = 50ms});
  young.Open(young.consumer);
  CHECK_FALSE(young.consumer.finished);
  REQUIRE(young.Run([&] { return young.consumer.finished.has_value(); }));
  CHECK(absl::IsNotFound(*young.consumer.finished));
  CHECK(young.Last<V1::ConnectResponse>(young.consumer).channel_open_error().code() ==
        culvert::v1::ERROR_CODE_UNKNOWN_PROVIDER);
  // From then on at once.
  young.others.emplace_back();
  young.Open(young.others.back());
  CHECK(young.others.back().finished);
}

TEST_CASE_METHOD(FakeBrokerFixture, "Broker says which region it does not serve", "[broker]") {
  auto request = Client::OpenRequest("edge-1", kCapable);
  request.mutable_open_request()->set_region_id("moon");
  Add(Method::kConnect, consumer, request.SerializeAsString());
  const auto error = Last<V1::ConnectResponse>(consumer).channel_open_error();
  CHECK(error.code() == culvert::v1::ERROR_CODE_UNKNOWN_PROVIDER);
  CHECK(error.message() == "region \"moon\" is not served here");
  CHECK(absl::IsNotFound(*consumer.finished));
}

// --- a provider that does not read ---

struct ShortPatience : FakeBrokerFixture {
  ShortPatience() : FakeBrokerFixture({.start_wait = 0ms, .session = {.unread = 50ms}}) {}
};

TEST_CASE_METHOD(ShortPatience, "Broker ends a session that takes nothing of what it is told",
                 "[broker]") {
  Register(listen);
  listen.TakeWrites();
  Open(consumer);
  REQUIRE(Run([&] { return listen.finished.has_value(); }));
  CHECK(absl::IsUnavailable(*listen.finished));
  CHECK(broker.sessions() == 0);
  // The opening is free for whoever comes.
  others.emplace_back();
  Register(others.back());
  CHECK(Offered(others.back()) != 0);
}

TEST_CASE_METHOD(ShortPatience, "Broker keeps a session that takes what it is told", "[broker]") {
  Register(listen);
  Open(consumer);
  bool over = false;
  net::Timer timer(loop);
  SECTION("all of it") { listen.TakeWrites(); }
  SECTION("one after the other") {
    net::Timer take(loop);
    for (int i = 0; i < 20; ++i)
      listen.delegate->OnMessage(Bytes(PingMessage<V1::ListenRequest>().SerializeAsString()));
    std::function<void()> next = [&] {
      listen.writing.pop_front();
      if (listen.writing.size() > 1) take.Start(10ms, [&] { next(); });
    };
    take.Start(10ms, [&] { next(); });
    REQUIRE(Run([&] { return listen.writing.size() == 1 || listen.finished; }));
    CHECK_FALSE(listen.finished);
    listen.TakeWrites();
  }
  timer.Start(150ms, [&] { over = true; });
  REQUIRE(Run([&] { return over; }));
  CHECK_FALSE(listen.finished);
  CHECK(broker.sessions() == 1);
}

}  // namespace
}  // namespace culvert::test
