// When a ReceiveWindow acknowledges, and what an Ack says.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"
#include "tests/unit/tunnel/windows.h"
#include "tunnel/receive_window.h"

namespace culvert::tunnel::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class AckingReceiver {
 public:
  explicit AckingReceiver(ReceiveWindow::Peer peer = ReceiveWindow::Peer::kCapable,
                          uint64_t grant = kGrant)
      : window(peer, grant) {}

  void Hold(Data data) {
    data.id = window.last_id() + 1;
    REQUIRE(window.Admit(data.id) == ReceiveWindow::Verdict::kNew);
    window.Hold(std::move(data), now);
  }
  void Take() {
    (void)window.BeginTaking(now);
    window.Taken(now, kNoShare, false);
  }
  void HoldAndTake(Data data) {
    Hold(std::move(data));
    Take();
  }
  std::string Ack() {
    const std::optional<tunnel::Ack> ack = window.TakeAck(now);
    return ack ? DebugString(*ack) : "none";
  }

  MonotonicTime now{};
  ReceiveWindow window;
};

Data AckRequired(size_t size) {
  Data data = SizedData(0, size);
  data.ack_required = true;
  return data;
}

TEST_CASE("ReceiveWindow acknowledges a small message after 25 ms", "[receive_window]") {
  AckingReceiver receiver;
  receiver.HoldAndTake(SizedData(0, 10));
  CHECK(receiver.window.ack_deadline() == receiver.now + milliseconds(25));
  receiver.now += milliseconds(25) - nanoseconds(1);
  CHECK(receiver.Ack() == "none");
  receiver.now += nanoseconds(1);
  CHECK(receiver.Ack() == "Ack 1 (window 10000)");
  CHECK(receiver.Ack() == "none");
  CHECK(receiver.window.ack_deadline() == std::nullopt);
}

TEST_CASE("ReceiveWindow acknowledges many small messages at once, 25 ms after the first",
          "[receive_window]") {
  AckingReceiver receiver;
  receiver.HoldAndTake(SizedData(0, 10));
  receiver.now += milliseconds(20);
  receiver.HoldAndTake(SizedData(0, 10));
  receiver.now += milliseconds(5);
  CHECK(receiver.Ack() == "Ack 2 (window 10000)");
}

TEST_CASE("ReceiveWindow acknowledges nothing before it is taken", "[receive_window]") {
  AckingReceiver receiver;
  receiver.Hold(AckRequired(10));
  (void)receiver.window.BeginTaking(receiver.now);
  receiver.now += std::chrono::seconds(10);
  CHECK(receiver.Ack() == "none");
}

TEST_CASE("ReceiveWindow acknowledges at once when the sender asks for it", "[receive_window]") {
  AckingReceiver receiver;
  receiver.HoldAndTake(AckRequired(10));
  CHECK(receiver.Ack() == "Ack 1 (window 10000)");
}

TEST_CASE("ReceiveWindow acknowledges an end of stream sooner when it is hastened",
          "[receive_window]") {
  AckingReceiver receiver;
  receiver.HoldAndTake(EndOf(0));
  CHECK(receiver.Ack() == "none");
  receiver.window.HastenAck();
  CHECK(receiver.Ack() == "Ack 1 (window 10000)");
  receiver.window.HastenAck();
  CHECK(receiver.Ack() == "none");
}

TEST_CASE("ReceiveWindow acknowledges at once when a quarter of the window was taken",
          "[receive_window]") {
  AckingReceiver receiver;
  SECTION("a byte less") {
    receiver.HoldAndTake(SizedData(0, kGrant / 4 - kMessageOverhead - 1));
    CHECK(receiver.Ack() == "none");
  }
  SECTION("exactly") {
    receiver.HoldAndTake(SizedData(0, kGrant / 4 - kMessageOverhead));
    CHECK(receiver.Ack() == "Ack 1 (window 10000)");
  }
}

TEST_CASE("ReceiveWindow acknowledges at once when the sender has less than half a window left",
          "[receive_window]") {
  AckingReceiver receiver;
  receiver.Hold(SizedData(0, 10));
  SECTION("half a window is left") {
    receiver.Hold(SizedData(0, kGrant / 2 - 10 - 2 * kMessageOverhead));
    receiver.Take();
    CHECK(receiver.Ack() == "none");
  }
  SECTION("a byte less") {
    receiver.Hold(SizedData(0, kGrant / 2 - 10 - 2 * kMessageOverhead + 1));
    receiver.Take();
    CHECK(receiver.Ack() == "Ack 1 (window 10000)");
  }
}

TEST_CASE("ReceiveWindow acknowledges what was taken however much more was received",
          "[receive_window]") {
  AckingReceiver receiver;
  receiver.HoldAndTake(AckRequired(10));
  receiver.Hold(SizedData(0, 10));
  CHECK(receiver.Ack() == "Ack 1 (window 10000)");
}

TEST_CASE("ReceiveWindow repeats its last Ack when asked to", "[receive_window]") {
  AckingReceiver receiver;
  receiver.HoldAndTake(AckRequired(10));
  REQUIRE(receiver.Ack() == "Ack 1 (window 10000)");
  receiver.window.AckNow();
  CHECK(receiver.Ack() == "Ack 1 (window 10000)");
}

TEST_CASE("ReceiveWindow has nothing to acknowledge before anything was taken",
          "[receive_window]") {
  AckingReceiver receiver;
  SECTION("on a new path") { receiver.window.OnNewPath(); }
  SECTION("for a duplicate") {
    receiver.Hold(SizedData(0, 10));
    receiver.window.AckNow();
  }
  CHECK(receiver.Ack() == "none");
}

TEST_CASE("ReceiveWindow acknowledges at once on a new path", "[receive_window]") {
  AckingReceiver receiver;
  receiver.HoldAndTake(SizedData(0, 10));
  receiver.window.OnNewPath();
  CHECK(receiver.Ack() == "Ack 1 (window 10000)");
}

TEST_CASE("ReceiveWindow counts a Close as taken without a delivery", "[receive_window]") {
  AckingReceiver receiver;
  receiver.HoldAndTake(EndOf(0));
  REQUIRE(receiver.window.Admit(2) == ReceiveWindow::Verdict::kNew);
  receiver.window.TakeWithoutDelivery();
  receiver.window.AckNow();
  CHECK(receiver.Ack() == "Ack 2 (window 10000)");
}

TEST_CASE("ReceiveWindow acknowledges a legacy peer after 200 ms and grants it nothing",
          "[receive_window]") {
  AckingReceiver receiver(ReceiveWindow::Peer::kLegacy);
  receiver.HoldAndTake(SizedData(0, kMaxLegacyDataBytes));
  CHECK(receiver.window.ack_deadline() == receiver.now + milliseconds(200));
  receiver.now += milliseconds(200) - nanoseconds(1);
  CHECK(receiver.Ack() == "none");
  receiver.now += nanoseconds(1);
  CHECK(receiver.Ack() == "Ack 1");
}

TEST_CASE("ReceiveWindow acknowledges a legacy peer at once when it asks for it",
          "[receive_window]") {
  AckingReceiver receiver(ReceiveWindow::Peer::kLegacy);
  receiver.HoldAndTake(SizedData(0, 10));
  receiver.HoldAndTake(AckRequired(10));
  CHECK(receiver.Ack() == "Ack 2");
}

}  // namespace
}  // namespace culvert::tunnel::testing
