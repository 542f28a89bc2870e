#include "sdk/connect_times.h"

#include <deque>
#include <functional>

#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;

TEST_CASE("ConnectTimes goes by the quickest of the last three connects", "[connect_times]") {
  ConnectTimes times;
  CHECK_FALSE(times.usual());
  CHECK(times.limit() == 1s);
  times.Note(20ms);
  CHECK(times.limit() == 200ms);
  // The network is another one now.
  times.Note(600ms);
  times.Note(700ms);
  CHECK(times.usual() == 20ms);
  times.Note(1700ms);
  CHECK(times.usual() == 600ms);
  CHECK(times.limit() == 900ms);
  times.Note(30ms);
  CHECK(times.limit() == 200ms);
}

TEST_CASE("ConnectTimes knows the round trip of the connection in use", "[connect_times]") {
  ConnectTimes times;
  times.NoteRoundTrip(0ms);
  CHECK_FALSE(times.usual());
  times.NoteRoundTrip(800ms);
  CHECK(times.usual() == 800ms);
  times.Note(20ms);
  CHECK(times.usual() == 800ms);
  times.NoteRoundTrip(1h);  // a queue, not a distance
  CHECK(times.usual() == 2s);
}

// A network on which a connect takes `round_trip`, unless its SYN is lost: then it never comes
// about. Connects begin every 250 ms, as BrokerProbe's do.
struct Network {
  explicit Network(Duration one_round_trip) : round_trip(one_round_trip) {}

  void Pass(Duration time) {
    const MonotonicTime until = now + time;
    for (; now < until; now += 10ms) {
      if (now >= next) {
        under_way.push_back(now);
        lost.push_back(away);
        next = now + 250ms;
      }
      Arrive();
    }
  }

  void Arrive() {
    for (size_t i = 0; i < under_way.size(); ++i) {
      if (lost[i] || now - under_way[i] < round_trip) continue;
      if (now - under_way.front() > times.limit()) ++held_up;
      times.Note(now - under_way[i]);
      const auto done = static_cast<std::ptrdiff_t>(i) + 1;
      under_way.erase(under_way.begin(), under_way.begin() + done);
      lost.erase(lost.begin(), lost.begin() + done);
      return;
    }
  }

  const Duration round_trip;
  MonotonicTime now{1h};
  MonotonicTime next = now;
  std::deque<MonotonicTime> under_way;
  std::deque<bool> lost;
  bool away = false;
  ConnectTimes times;
  int held_up = 0;
};

TEST_CASE("ConnectTimes takes no slow network for one that was away", "[connect_times]") {
  const Duration round_trip = GENERATE(20ms, 600ms, 900ms);
  Network network(round_trip);
  network.Pass(10min);
  CHECK(network.held_up == 0);
  // And one that was away is found out all the same.
  network.away = true;
  network.Pass(1500ms);
  network.away = false;
  network.Pass(10s);
  CHECK(network.held_up == 1);
}

TEST_CASE("ConnectTimes is mistaken once where a SYN takes longer than the kernel waits",
          "[connect_times]") {
  Network network(1500ms);
  SECTION("if nothing is known") {
    network.Pass(10min);
    CHECK(network.held_up == 1);
  }
  SECTION("not after a connection that was in use") {
    network.times.NoteRoundTrip(1500ms);
    network.Pass(10min);
    CHECK(network.held_up == 0);
  }
}

// What a connection looks like at `age` that goes well: connected after one round trip, then TLS
// and HTTP/2, each of which takes one.
ConnectUnderWay GoingWell(Duration age, Duration round_trip) {
  ConnectUnderWay connect;
  connect.age = age;
  connect.waited =
      std::max(0ms, std::chrono::duration_cast<std::chrono::milliseconds>(age) - 250ms);
  connect.usual = round_trip;
  if (age >= round_trip) connect.sockets.push_back({age % round_trip, true});
  return connect;
}

TEST_CASE("A connection that is being made slowly is not stuck", "[connect_times]") {
  const Duration round_trip = GENERATE(20ms, 600ms, 1s, 1500ms);
  const bool was_away = GENERATE(false, true);
  for (Duration age = 10ms; age < 5 * round_trip; age += 10ms) {
    CAPTURE(ToSeconds(age));
    ConnectUnderWay connect = GoingWell(age, round_trip);
    connect.was_away = was_away;
    REQUIRE_FALSE(IsConnectStuck(connect));
  }
}

TEST_CASE("A connection that is not heard while others come about is stuck", "[connect_times]") {
  const Duration usual = GENERATE(20ms, 600ms);
  ConnectUnderWay connect{
      .age = 2s, .waited = 2s, .was_away = false, .usual = usual, .sockets = {}};
  CHECK(IsConnectStuck(connect));
  connect.waited.reset();
  CHECK_FALSE(IsConnectStuck(connect));  // nobody waits
  connect.was_away = true;
  CHECK(IsConnectStuck(connect));
  connect.sockets.push_back({2s, true});
  CHECK(IsConnectStuck(connect));
  connect.sockets.front().quiet = 900ms;
  CHECK_FALSE(IsConnectStuck(connect));
  connect.sockets.front() = {2s, false};  // the broker has taken it, and is slow, or was away
  CHECK(IsConnectStuck(connect));
  connect.was_away = false;
  connect.waited = 2s;
  CHECK_FALSE(IsConnectStuck(connect));
}

}  // namespace
}  // namespace culvert
