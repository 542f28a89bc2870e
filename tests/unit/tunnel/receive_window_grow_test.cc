// The decisions of a ReceiveWindow about its size, one at a time; channel_growth_test.cc has whole
// transfers.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"
#include "tests/unit/tunnel/windows.h"
#include "tunnel/receive_window.h"

namespace culvert::tunnel::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// One message and its cost: eight of them are a window.
constexpr uint64_t kCost = 8192;
constexpr uint64_t kEightMessages = 8 * kCost;

class GrowingReceiver {
 public:
  explicit GrowingReceiver(uint64_t grant = kEightMessages)
      : window(ReceiveWindow::Peer::kCapable, grant) {}

  void Hold(uint64_t cost = kCost) {
    const uint64_t id = window.last_id() + 1;
    REQUIRE(window.Admit(id) == ReceiveWindow::Verdict::kNew);
    window.Hold(SizedData(id, cost - kMessageOverhead), now);
  }
  void Take(Duration for_how_long = {}, uint64_t share = kNoShare, bool may_grow = true) {
    (void)window.BeginTaking(now);
    now += for_how_long;
    window.Taken(now, share, may_grow);
    (void)window.TakeAck(now);
  }
  // A window's worth that arrives in one go, `rtt` after the last Ack.
  void Trip(Duration rtt, uint64_t share = kNoShare, bool may_grow = true) {
    now += rtt;
    const uint64_t messages = window.window() / kCost;
    for (uint64_t i = 0; i < messages; ++i) Hold();
    for (uint64_t i = 0; i < messages; ++i) Take(rtt / 16, share, may_grow);
  }

  MonotonicTime now{};
  ReceiveWindow window;
};

TEST_CASE("ReceiveWindow does not grow before it knows the round trip", "[receive_window]") {
  GrowingReceiver receiver;
  receiver.Trip(milliseconds(50));
  CHECK(receiver.window.window() == kEightMessages);
}

TEST_CASE("ReceiveWindow doubles for a window's worth that arrived in one round trip",
          "[receive_window]") {
  GrowingReceiver receiver;
  receiver.Trip(milliseconds(50));
  receiver.Trip(milliseconds(50));
  CHECK(receiver.window.window() == 2 * kEightMessages);
}

TEST_CASE("ReceiveWindow does not grow when the process has no room", "[receive_window]") {
  GrowingReceiver receiver;
  for (int i = 0; i < 5; ++i) receiver.Trip(milliseconds(50), kNoShare, /*may_grow=*/false);
  CHECK(receiver.window.window() == kEightMessages);
}

TEST_CASE("ReceiveWindow grows to its share and not beyond", "[receive_window]") {
  GrowingReceiver receiver;
  for (int i = 0; i < 5; ++i) receiver.Trip(milliseconds(50), /*share=*/kEightMessages + kCost);
  CHECK(receiver.window.window() == kEightMessages + kCost);
}

TEST_CASE("ReceiveWindow keeps its size when the share falls below it", "[receive_window]") {
  GrowingReceiver receiver;
  for (int i = 0; i < 5; ++i) receiver.Trip(milliseconds(50), /*share=*/kCost);
  CHECK(receiver.window.window() == kEightMessages);
}

TEST_CASE("ReceiveWindow does not grow while more than half of it waits for the local side",
          "[receive_window]") {
  GrowingReceiver receiver;
  receiver.Trip(milliseconds(50));
  // The second window's worth is taken, but by then most of a third has come.
  receiver.now += milliseconds(50);
  for (int i = 0; i < 8; ++i) receiver.Hold();
  for (int i = 0; i < 7; ++i) receiver.Take(milliseconds(3));
  SECTION("half of it") {
    for (int i = 0; i < 4; ++i) receiver.Hold();
    receiver.Take(milliseconds(3));
    CHECK(receiver.window.window() > kEightMessages);
  }
  SECTION("more than that") {
    for (int i = 0; i < 5; ++i) receiver.Hold();
    receiver.Take(milliseconds(3));
    CHECK(receiver.window.window() == kEightMessages);
  }
}

TEST_CASE("ReceiveWindow falls to 1 MiB when taking one message lasted a second",
          "[receive_window]") {
  GrowingReceiver receiver(4 * kMiB);
  SECTION("one second") {
    receiver.Hold();
    receiver.Take(seconds(1));
    CHECK(receiver.window.window() == kMiB);
  }
  SECTION("a nanosecond less") {
    receiver.Hold();
    receiver.Take(seconds(1) - nanoseconds(1));
    CHECK(receiver.window.window() == 4 * kMiB);
  }
}

TEST_CASE("ReceiveWindow does not rise to 1 MiB by standing still", "[receive_window]") {
  GrowingReceiver receiver;
  receiver.Hold();
  receiver.Take(seconds(1));
  CHECK(receiver.window.window() == kEightMessages);
}

TEST_CASE("ReceiveWindow does not count what was taken before it stood still towards growth",
          "[receive_window]") {
  constexpr uint64_t kLarge = 16 * kMiB;
  GrowingReceiver receiver(kLarge);
  receiver.Trip(seconds(2));  // the round trip is two seconds from here on
  receiver.now += seconds(2);
  // Half of a window is taken quickly; then the local side stands still for a second.
  for (uint64_t i = 0; i < kLarge / kCost / 2 + 1; ++i) receiver.Hold();
  while (receiver.window.held() > kCost) receiver.Take();
  receiver.Take(seconds(1));
  CHECK(receiver.window.window() == kMiB);
}

TEST_CASE("ReceiveWindow may be on a new path while a message is being taken", "[receive_window]") {
  GrowingReceiver receiver;
  receiver.Trip(milliseconds(50));
  receiver.now += milliseconds(50);
  for (int i = 0; i < 8; ++i) receiver.Hold();
  for (int i = 0; i < 7; ++i) receiver.Take(milliseconds(3));
  (void)receiver.window.BeginTaking(receiver.now);
  receiver.window.OnNewPath();
  receiver.window.Taken(receiver.now, kNoShare, true);
  CHECK(receiver.window.window() == kEightMessages);  // nothing is known of this path yet
}

TEST_CASE("ReceiveWindow forgets the round trip of the path before", "[receive_window]") {
  GrowingReceiver receiver;
  receiver.Trip(milliseconds(1));
  receiver.Trip(milliseconds(1));
  const uint64_t before = receiver.window.window();
  receiver.window.OnNewPath();
  for (int i = 0; i < 3; ++i) receiver.Trip(milliseconds(50));
  CHECK(receiver.window.window() > before);
}

TEST_CASE("ReceiveWindow does not take what a resume granted for a fast round trip",
          "[receive_window]") {
  GrowingReceiver receiver;
  receiver.Hold();
  (void)receiver.window.BeginTaking(receiver.now);
  receiver.window.Taken(receiver.now, kNoShare, true);  // suspended: no Ack goes out
  // The resume states the raised grant, so the peer uses it before it sees an Ack.
  receiver.window.OnNewPath();
  (void)receiver.window.TakeAck(receiver.now);
  receiver.Trip(milliseconds(50));
  receiver.Trip(milliseconds(50));
  CHECK(receiver.window.window() == 2 * kEightMessages);
}

}  // namespace
}  // namespace culvert::tunnel::testing
