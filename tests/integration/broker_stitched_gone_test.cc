// When the user of a stitched channel counts as gone: both ends are the test's.
#include <optional>

#include "tests/integration/broker_departures_fixture.h"
#include "tests/integration/broker_stitched_fixture.h"

namespace culvert::test {
namespace {

constexpr uint16_t kFirstPort = 4100;
constexpr uint16_t kNextPort = 4200;

struct GoneFixture : StitchedFixture {
  Parked user;
  Parked agent;
  uint64_t channel = 0;

  GoneFixture() : StitchedFixture({}, Soon(milliseconds(100))) {
    Register();
    attached = &Attach("a-consumer", 7, kFirstPort);
    user = ParkConsumer(*attached);
    agent = ParkProvider();
    channel = OpenOver(*attached, user.id).opened().response().channel_id();
  }
  // Hears the agent for so long.
  void Hear(Duration time) {
    V1::ListenRequest ping;
    ping.mutable_ping();
    for (const MonotonicTime end = loop.Now() + time; loop.Now() < end && !cut;) {
      Say(listen, ping);
      Turns();
      for (const std::string& written : listen.writing) {
        Listened message;
        REQUIRE(message.ParseFromString(written));
        if (message.notice().has_cut()) cut = message.notice().cut();
      }
    }
  }
  void LosePair() {
    user.fd.Reset();
    REQUIRE(Run([&] { return broker.channels() == 0; }));
  }
  std::optional<culvert::v1::Notice::Cut> cut;  // what the agent was told
};

TEST_CASE_METHOD(GoneFixture, "A user is gone with the connection that it is attached over",
                 "[stitched]") {
  SECTION("the one that it opened the channel over") {}
  SECTION("another one, when that has long been forgotten") {
    attached = &Attach("a-consumer", 7, kNextPort);
    Hear(milliseconds(200));
    Transport& somebody = others.emplace_back();
    Add(Method::kConnect, somebody, 4300);
    REQUIRE_FALSE(cut);
  }
  attached->delegate->OnEnd(absl::CancelledError("gone"));
  LosePair();
  Hear(seconds(5));
  REQUIRE(cut);
  CHECK(cut->channel_id() == channel);
  CHECK(cut->code() == culvert::v1::ERROR_CODE_SHUTDOWN);
}

TEST_CASE_METHOD(GoneFixture, "A user that is attached over another connection is not gone",
                 "[stitched]") {
  attached = &Attach("a-consumer", 7, kNextPort);
  LosePair();
  Hear(milliseconds(1'000));  // it would be judged after 300
  CHECK_FALSE(cut);
}

}  // namespace
}  // namespace culvert::test
