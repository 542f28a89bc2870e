#include "net/connected_sockets.h"

#include <set>

#include "tests/support/catch.h"
#include "tests/support/eventually.h"
#include "tests/support/loopback.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

struct Pair {
  Pair() : listener(test::ListenOnLoopback()) { Connect(); }
  void Connect() {
    one = test::ConnectToLoopback(test::PortOf(listener.get()));
    other = test::Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(other.get() >= 0);
  }
  std::vector<Address> peers() const {
    return {*Address::FromLiteral("127.0.0.1", test::PortOf(listener.get()))};
  }

  test::Fd listener;
  test::Fd one;
  test::Fd other;
};

TEST_CASE("ConnectedSockets finds the connections to a peer and no others", "[connected_sockets]") {
  Pair pair;
  const Pair unrelated;
  ConnectedSockets sockets;

  const auto found = sockets.Look(pair.peers(), MonotonicNow());

  REQUIRE(found.size() == 1);
  CHECK(found[0].local == *Address::OfSocket(pair.one.get()));
  CHECK_FALSE(found[0].outstanding);
}

TEST_CASE("ConnectedSockets sees that data came and was acknowledged", "[connected_sockets]") {
  Pair pair;
  ConnectedSockets sockets;
  const MonotonicTime begun = MonotonicNow();
  // The kernel counts in ticks of up to 10 ms.
  REQUIRE(test::Eventually([&] { return MonotonicNow() - begun > 50ms; }));
  test::SendAll(pair.other.get(), "x");
  test::SendAll(pair.one.get(), "x");

  REQUIRE(test::Eventually([&] {
    const auto found = sockets.Look(pair.peers(), MonotonicNow());
    return found.size() == 1 && found[0].last_data > begun + 20ms &&
           found[0].last_ack > begun + 20ms && !found[0].outstanding;
  }));
}

TEST_CASE("ConnectedSockets does not take a peer without room for one that is gone",
          "[connected_sockets]") {
  Pair pair;
  const std::string much = test::Pattern(1 << 20);
  REQUIRE(test::Eventually([&] { return test::SendSome(pair.one.get(), much) == 0; }));
  ConnectedSockets sockets;

  REQUIRE(test::Eventually([&] {
    const auto found = sockets.Look(pair.peers(), MonotonicNow());
    return found.size() == 1 && found[0].outstanding && !found[0].unacknowledged;
  }));
}

TEST_CASE("ConnectedSockets forgets those that are given up, and finds the next",
          "[connected_sockets]") {
  Pair pair;
  ConnectedSockets sockets;
  MonotonicTime now = MonotonicNow();
  REQUIRE(sockets.Look(pair.peers(), now).size() == 1);

  sockets.IgnorePresent(pair.peers(), now);
  CHECK(sockets.Look(pair.peers(), now += 1s).empty());

  const test::Fd given_up = std::move(pair.one);
  const test::Fd its_peer = std::move(pair.other);
  pair.Connect();
  const auto found = sockets.Look(pair.peers(), now += 1s);
  REQUIRE(found.size() == 1);
  CHECK(found[0].local == *Address::OfSocket(pair.one.get()));

  pair.one.Close();
  CHECK(sockets.Look(pair.peers(), now += 1s).empty());
}

TEST_CASE("ConnectedSockets looks ever more rarely for what it does not find",
          "[connected_sockets]") {
  Pair pair;
  const auto peers = pair.peers();
  pair.one.Close();
  ConnectedSockets sockets;
  MonotonicTime now = MonotonicNow();
  CHECK(sockets.Look(peers, now).empty());
  CHECK(sockets.Look(peers, now += 250ms).empty());
  pair.Connect();
  CHECK(sockets.Look(peers, now += 490ms).empty());
  SECTION("until its time has come") { CHECK(sockets.Look(peers, now += 10ms).size() == 1); }
  SECTION("or it is to be there") {
    sockets.Expect();
    CHECK(sockets.Look(peers, now).size() == 1);
  }
  SECTION("but after 4 s at the latest") {
    pair.one.Close();
    for (int i = 0; i < 10; ++i) CHECK(sockets.Look(peers, now += 1h).empty());
    pair.Connect();
    CHECK(sockets.Look(peers, now += 4s).size() == 1);
  }
}

TEST_CASE("IsLocalAddress tells whether this machine has an address", "[connected_sockets]") {
  CHECK(IsLocalAddress(*Address::FromLiteral("127.0.0.1", 80)));
  CHECK_FALSE(IsLocalAddress(*Address::FromLiteral("192.0.2.1", 80)));  // RFC 5737: nobody's
}

}  // namespace
}  // namespace culvert::net
