#include "sdk/link_health.h"

#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using Action = LinkHealth::Action;
using State = LinkHealth::State;

// A connection whose time is the test's, and what the kernel and the broker do on it.
struct Link {
  Link() {
    evidence.can_ping = true;
    evidence.tcp.emplace(LinkHealth::Tcp{.last_ack = now, .last_data = now, .round_trip = 20ms});
    evidence.last_heard = now;
    health.Reset(now);
  }

  // Lets the time pass, looking as often as the health wants it; the first action that is not
  // kNone, or kNone after `time`.
  Action Pass(Duration time) {
    const MonotonicTime until = now + time;
    while (now < until) {
      now = std::min(until, health.next_check().value_or(now + 250ms));
      const Action action = health.Check(evidence, now);
      if (action == Action::kPing) ++pings;
      if (action == Action::kGiveUp) return action;
    }
    return Action::kNone;
  }
  void Hear() {
    ++evidence.heard;
    evidence.last_heard = evidence.tcp->last_data = evidence.tcp->last_ack = now;
  }
  // Something was sent, and the kernel hears nothing of it.
  void SendInVain() {
    health.NoteWrite(now);
    evidence.tcp->unacknowledged = evidence.tcp->outstanding = true;
  }
  void Acknowledge() {
    evidence.tcp->unacknowledged = evidence.tcp->outstanding = false;
    evidence.tcp->last_ack = now;
  }

  MonotonicTime now = MonotonicTime(std::chrono::hours(1));
  LinkHealth::Evidence evidence;
  LinkHealth health;
  int pings = 0;
};

TEST_CASE("LinkHealth pings after 5 s without any message", "[link_health]") {
  Link link;
  link.Pass(4900ms);
  CHECK(link.pings == 0);
  link.Pass(200ms);
  CHECK(link.pings == 1);

  link.Hear();
  link.Pass(4500ms);
  CHECK(link.pings == 1);
  CHECK(link.health.state() == State::kTrusted);
}

TEST_CASE("LinkHealth pings a second after messages stop, and once", "[link_health]") {
  Link link;
  for (int i = 0; i < 3; ++i) {
    link.Hear();
    link.Pass(900ms);
  }
  CHECK(link.pings == 0);
  link.Pass(200ms);
  CHECK(link.pings == 1);
  link.Hear();
  link.Pass(4s);
  CHECK(link.pings == 1);
}

TEST_CASE("LinkHealth gives up a second after what is not acknowledged, once the broker is there",
          "[link_health]") {
  Link link;
  link.evidence.can_ping = GENERATE(true, false);
  link.SendInVain();
  link.Pass(LinkHealth::kAckTime - 10ms);
  CHECK(link.health.state() == State::kTrusted);
  link.Pass(300ms);
  CHECK(link.health.state() == State::kSuspected);

  SECTION("the broker takes a new connection") {
    link.health.OnProbeConnected({link.now, 5ms});
    CHECK(link.Pass(LinkHealth::kSettleTime - 5ms) == Action::kNone);
    CHECK(link.Pass(150ms) == Action::kGiveUp);
  }
  SECTION("it takes none") { CHECK(link.Pass(15s) == Action::kNone); }
  SECTION("it took one before the suspicion") {
    link.health.OnProbeConnected({link.now - 2s, 5ms});
    CHECK(link.Pass(1s) == Action::kNone);
  }
  SECTION("the acknowledgement and an answer come in time") {
    link.health.OnProbeConnected({link.now, 5ms});
    link.Pass(200ms);
    link.Acknowledge();
    link.Hear();
    CHECK(link.Pass(4s) == Action::kNone);
    CHECK(link.health.state() == State::kTrusted);
  }
}

TEST_CASE("LinkHealth suspects a ping that is not acknowledged after half a second",
          "[link_health]") {
  Link link;
  link.health.PingSoon();
  link.health.Check(link.evidence, link.now);
  CHECK(link.health.state() == State::kPinged);
  link.SendInVain();
  link.Pass(650ms);
  CHECK(link.health.state() == State::kSuspected);
}

TEST_CASE("LinkHealth waits longer for the answer of a broker that acknowledges", "[link_health]") {
  Link link;
  Duration waited = LinkHealth::kAnswerTime;
  for (int i = 0; i < 3; ++i) {
    link.health.PingSoon();
    link.health.Check(link.evidence, link.now);
    link.Pass(waited - 110ms);
    CHECK(link.health.state() == State::kPinged);
    link.Pass(250ms);
    REQUIRE(link.health.state() == State::kSuspected);
    link.health.OnProbeConnected({link.now, 1ms});
    CHECK(link.Pass(500ms) == Action::kGiveUp);
    // The next connection to it is no better.
    link.health.Reset(link.now);
    link.evidence.heard = 0;
    link.evidence.last_heard = link.now;
    waited *= 2;
  }
}

TEST_CASE("LinkHealth does not give up a slow line that moves", "[link_health]") {
  Link link;
  link.health.PingSoon();
  link.SendInVain();
  const bool up = GENERATE(true, false);
  // The answer takes 5 s because of what is in front of it.
  for (int i = 0; i < 50; ++i) {
    REQUIRE(link.Pass(100ms) == Action::kNone);
    (up ? link.evidence.tcp->last_ack : link.evidence.tcp->last_data) = link.now;
    if (link.health.state() == State::kSuspected) link.health.OnProbeConnected({link.now, 1ms});
  }
  CHECK(link.health.state() == State::kSuspected);
}

TEST_CASE("LinkHealth gives up what has come back one way only", "[link_health]") {
  Link link;
  link.SendInVain();
  link.Pass(1300ms);
  REQUIRE(link.health.state() == State::kSuspected);
  const bool up = GENERATE(true, false);
  link.evidence.tcp->stalled = !up;
  link.health.OnProbeConnected({link.now, 5ms, /*was_away=*/true});
  // Acknowledgements come, and the broker waits with what it sends again, or the other way round.
  Action action = Action::kNone;
  for (int i = 0; i < 5 && action == Action::kNone; ++i) {
    if (up) {
      link.evidence.tcp->last_ack = link.now;
    } else {
      link.Hear();
    }
    action = link.Pass(100ms);
  }
  CHECK(action == Action::kGiveUp);
}

TEST_CASE("LinkHealth suspects what is sent again in vain, although messages come",
          "[link_health]") {
  Link link;
  link.SendInVain();
  link.evidence.tcp->stalled = true;
  for (int i = 0; i < 5; ++i) {
    link.Hear();
    REQUIRE(link.Pass(100ms) == Action::kNone);
  }
  CHECK(link.health.state() == State::kSuspected);
  link.health.OnProbeConnected({link.now, 5ms});
  link.evidence.tcp->stalled = GENERATE(true, false);
  link.Hear();
  const bool given_up = link.Pass(500ms) == Action::kGiveUp;
  CHECK(given_up == link.evidence.tcp->stalled);
}

TEST_CASE("LinkHealth respects long round trips", "[link_health]") {
  Link link;
  link.evidence.tcp->round_trip = 800ms;
  link.SendInVain();
  link.Pass(3s);
  CHECK(link.health.state() == State::kTrusted);
  link.Pass(500ms);
  CHECK(link.health.state() == State::kSuspected);
}

// By way of a satellite: everything comes, a round trip later.
TEST_CASE("LinkHealth gives up nothing on a slow line where everything comes", "[link_health]") {
  const Duration round_trip = GENERATE(600ms, 1s, 1500ms);
  CAPTURE(ToSeconds(round_trip));
  Link link;
  link.evidence.tcp->round_trip = round_trip;
  Duration until_answer{0};
  for (Duration passed{0}; passed < 10min; passed += 50ms) {
    const int pings = link.pings;
    // A broker that is asked for whatever reason takes every new connection.
    link.health.OnProbeConnected({link.now - round_trip, round_trip, false, round_trip});
    if (passed % 7s == 0s) link.health.PingSoon();
    REQUIRE(link.Pass(50ms) == Action::kNone);
    if (link.pings > pings) {
      link.SendInVain();
      until_answer = round_trip;
    } else if (until_answer > 0s && (until_answer -= 50ms) <= 0s) {
      link.Acknowledge();
      link.Hear();
    }
    REQUIRE(link.health.state() != State::kSuspected);
  }
  CHECK(link.pings >= 60);
}

TEST_CASE("LinkHealth finds a dead connection of a slow line in some round trips",
          "[link_health]") {
  const Duration round_trip = GENERATE(600ms, 1500ms);
  Link link;
  link.evidence.tcp->round_trip = round_trip;
  link.SendInVain();
  link.Pass(4 * round_trip + 300ms);
  REQUIRE(link.health.state() == State::kSuspected);
  link.now += round_trip;
  const MonotonicTime connected = link.now;
  link.health.OnProbeConnected({link.now - round_trip, round_trip, true, round_trip});
  CHECK(link.Pass(5s) == Action::kGiveUp);
  CHECK(link.now - connected >= round_trip);
  CHECK(link.now - connected <= 2 * round_trip + 200ms);
}

TEST_CASE("LinkHealth takes 20 s of silence for the end", "[link_health]") {
  Link link;
  if (GENERATE(true, false)) link.evidence.tcp.reset();
  CHECK(link.Pass(19900ms) == Action::kNone);
  CHECK(link.Pass(300ms) == Action::kGiveUp);
  CHECK(link.health.why() == "silent for 20 s");
}

TEST_CASE("LinkHealth asks nobody and gives up nothing where nobody answers pings",
          "[link_health]") {
  Link link;
  link.evidence.can_ping = false;
  CHECK(link.Pass(60s) == Action::kNone);
  CHECK(link.pings == 0);
  CHECK_FALSE(link.health.next_check());
}

TEST_CASE("LinkHealth counts no silence while the program itself stood still", "[link_health]") {
  Link link;
  link.Pass(1s);
  link.now += 60s;  // SIGSTOP, a laptop asleep
  CHECK(link.health.Check(link.evidence, link.now) == Action::kPing);
  CHECK(link.Pass(1s) == Action::kNone);
  link.Hear();
  CHECK(link.Pass(1s) == Action::kNone);
  CHECK(link.health.state() == State::kTrusted);
}

}  // namespace
}  // namespace culvert
