// What a broker that shuts down still does.
#include "broker/drain_notices.h"
#include "tests/integration/broker_fake_fixture.h"

namespace culvert::test {
namespace {

using namespace std::chrono_literals;

struct DrainFixture : FakeBrokerFixture {
  bool idle = false;
  void Drain() {
    broker.Drain([this] { idle = true; });
  }
};

TEST_CASE_METHOD(DrainFixture, "Draining broker lets an opening under way be accepted",
                 "[broker]") {
  const uint64_t session = Register(listen);
  Open(consumer);
  Drain();
  CHECK_FALSE(consumer.finished);
  Accept(provider, session, Offered(listen));
  // The answers, and then that the broker drains.
  for (Transport* transport : {&consumer, &provider}) {
    REQUIRE(transport->writing.size() == 2);
    transport->writing.pop_back();
  }
  CHECK(Last<V1::ConnectResponse>(consumer).has_open_response());
  CHECK(Last<V1::AcceptResponse>(provider).has_accepted());
  Turn();
  CHECK_FALSE(idle);

  consumer.delegate->OnEnd(absl::CancelledError("gone"));
  CHECK(Run([&] { return idle; }));
}

TEST_CASE_METHOD(DrainFixture, "Draining broker ends openings whose provider is away", "[broker]") {
  SECTION("when the drain begins") {
    Register(listen);
    listen.delegate->OnPeerFinished();
    Open(consumer);
    CHECK_FALSE(consumer.finished);
    Drain();
  }
  SECTION("when the provider leaves") {
    Register(listen);
    Open(consumer);
    Drain();
    CHECK_FALSE(consumer.finished);
    listen.delegate->OnPeerFinished();
  }
  REQUIRE(consumer.finished);
  // The status alone, which a consumer takes for a broker that went away: it tries again.
  CHECK(absl::IsUnavailable(*consumer.finished));
  CHECK(consumer.finished->message() == "broker is shutting down");
  CHECK(consumer.writing.empty());
  CHECK(Run([&] { return idle; }));
}

TEST_CASE_METHOD(DrainFixture, "Draining broker begins nothing new", "[broker]") {
  Register(listen);
  listen.TakeWrites();
  const Method method = GENERATE(Method::kConnect, Method::kListen);
  const std::string first = method == Method::kConnect
                                ? Client::OpenRequest("edge-1", kCapable).SerializeAsString()
                                : Client::ListenRequest("edge-2", kCapable).SerializeAsString();
  SECTION("on a stream that comes then") {
    Drain();
    Add(method, consumer);
  }
  SECTION("on a stream that has said nothing when it begins") {
    Add(method, consumer);
    Drain();
    REQUIRE(consumer.Flood(first, 1) == 1);
  }
  REQUIRE(consumer.finished);
  CHECK(absl::IsUnavailable(*consumer.finished));
  CHECK(listen.writing.empty());
  CHECK(broker.sessions() == 1);
}

TEST_CASE_METHOD(DrainFixture,
                 "Draining broker tells every capable end, with the time that is left",
                 "[broker]") {
  const uint64_t session = Register(listen);
  Open(consumer);
  Accept(provider, session, Offered(listen));
  for (Transport* transport : {&listen, &consumer, &provider}) transport->TakeWrites();
  broker.Drain([] {}, 200ms);
  CHECK(listen.writing.empty());  // nothing inside the call
  REQUIRE(Run([&] {
    return !listen.writing.empty() && !consumer.writing.empty() && !provider.writing.empty();
  }));
  for (const auto& notice :
       {Last<V1::ListenResponse>(listen).notice(), Last<V1::ConnectResponse>(consumer).notice(),
        Last<V1::AcceptResponse>(provider).notice()}) {
    REQUIRE(notice.has_drain());
    CHECK(notice.drain().deadline_ms() <= 200);
    CHECK(notice.drain().deadline_ms() >= 100);
    CHECK(notice.drain().brokers().empty());
  }
  CHECK_FALSE(consumer.finished);
  CHECK_FALSE(listen.finished);
  broker.EndAll();
  for (const Transport* transport : {&listen, &consumer, &provider}) {
    REQUIRE(transport->finished);
    CHECK(absl::IsUnavailable(*transport->finished));
    CHECK(transport->writing.size() == 1);  // neither Close nor Error
  }
}

TEST_CASE_METHOD(DrainFixture, "Draining broker tells legacy ends nothing", "[broker]") {
  OpenChannel();
  provider.TakeWrites();
  Transport& other = others.emplace_back();
  Add(Method::kListen, other, Client::ListenRequest("edge-2", kCapable).SerializeAsString());
  other.TakeWrites();
  broker.Drain([] {}, 100ms);
  REQUIRE(Run([&] { return !other.writing.empty(); }));
  Turn();
  for (const Transport* transport : {&listen, &consumer, &provider}) {
    CHECK(transport->writing.empty());
    CHECK_FALSE(transport->finished);
  }
}

TEST_CASE_METHOD(DrainFixture, "Draining broker tells a channel that opens then", "[broker]") {
  const uint64_t session = Register(listen);
  Open(consumer);
  const uint64_t channel = Offered(listen);
  broker.Drain([] {}, 30s);
  Accept(provider, session, channel);
  REQUIRE(consumer.writing.size() == 2);
  CHECK(Last<V1::ConnectResponse>(consumer).notice().drain().deadline_ms() > 29'000);
  CHECK(Last<V1::AcceptResponse>(provider).notice().has_drain());
}

TEST_CASE_METHOD(DrainFixture, "Draining broker tells all of its ends at once, a lot in each turn",
                 "[broker]") {
  constexpr size_t kSessions = broker::DrainNotices::kAtOnce + 1;
  for (size_t i = 0; i < kSessions; ++i) {
    Transport& session = others.emplace_back();
    Add(Method::kListen, session,
        Client::ListenRequest("edge-" + std::to_string(i), kCapable).SerializeAsString());
    session.TakeWrites();
  }
  const auto told = [this] {
    size_t count = 0;
    for (const Transport& session : others) {
      if (!session.writing.empty()) ++count;
    }
    return count;
  };
  const MonotonicTime began = loop.Now();
  broker.Drain([] {}, 100s);
  REQUIRE(Run([&] { return told() > 0; }));
  CHECK(told() == broker::DrainNotices::kAtOnce);
  REQUIRE(Run([&] { return told() == kSessions; }));
  CHECK(loop.Now() - began < 5s);  // and not over any part of the grace
}

TEST_CASE_METHOD(DrainFixture, "Draining broker's health is NOT_SERVING", "[broker]") {
  Drain();
  Add(Method::kHealthCheck, consumer, "");
  CHECK(consumer.writing.back() == "\x08\x02");
  CHECK(consumer.finished->ok());
}

}  // namespace
}  // namespace culvert::test
