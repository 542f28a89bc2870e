// What a broker that shuts down still does.
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

TEST_CASE_METHOD(DrainFixture, "Draining broker's health is NOT_SERVING", "[broker]") {
  Drain();
  Add(Method::kHealthCheck, consumer, "");
  CHECK(consumer.writing.back() == "\x08\x02");
  CHECK(consumer.finished->ok());
}

}  // namespace
}  // namespace culvert::test
