// How the window of a Channel follows the path, the local reader and the memory of the process.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/timed_transfer.h"
#include "tests/unit/tunnel/windows.h"

namespace culvert::tunnel::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kLongPath = milliseconds(25);    // 50 ms there and back
constexpr Duration kShortPath = microseconds(100);  // 0.2 ms there and back

TEST_CASE("A window stays what it was while nothing is sent", "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath});
  CHECK(transfer.receiver().receive_window() == 256 * kKiB);
}

TEST_CASE("A window that limits the sender on a long path doubles about once a round trip",
          "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath});
  uint64_t before = transfer.receiver().receive_window();
  for (int trip = 0; trip < 40; ++trip) {
    transfer.RunFor(milliseconds(50));
    const uint64_t after = transfer.receiver().receive_window();
    CHECK(after <= 2 * before);
    before = after;
  }
  CHECK(before > 8 * kMiB);
}

TEST_CASE("A window grows to its maximum and not beyond", "[channel][growth]") {
  TimedTransfer transfer({.delay = milliseconds(250)});
  transfer.RunFor(seconds(60));
  CHECK(transfer.receiver().receive_window() == ReceiveWindow::kMaxWindow);
}

TEST_CASE("A window grows to twice what the path holds and not beyond", "[channel][growth]") {
  const double bandwidth = GENERATE(10e6, 20e6, 25e6, 40e6, 70e6);
  CAPTURE(bandwidth);
  TimedTransfer transfer({.delay = kLongPath, .bytes_per_second = bandwidth});
  transfer.RunFor(seconds(20));
  const double path_holds = bandwidth * 0.050;
  const auto window = static_cast<double>(transfer.receiver().receive_window());
  CHECK(window > 1.5 * path_holds);
  CHECK(window < 2.5 * path_holds);  // a message in flight lengthens the measured delay
}

TEST_CASE("A window grows until the path is used fully", "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath, .bytes_per_second = 40e6});
  transfer.RunFor(seconds(5));
  const uint64_t before = transfer.delivered();
  transfer.RunFor(seconds(1));
  CHECK(static_cast<double>(transfer.delivered() - before) > 0.98 * 40e6);
}

TEST_CASE("A window stays small on a short path", "[channel][growth]") {
  TimedTransfer transfer({.delay = kShortPath, .bytes_per_second = 300e6});
  transfer.RunFor(milliseconds(500));
  CHECK(transfer.receiver().receive_window() <= 512 * kKiB);
  CHECK(static_cast<double>(transfer.delivered()) > 0.95 * 0.5 * 300e6);
}

TEST_CASE("A window does not grow for a reader that does not keep up", "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath, .reader_per_second = 1e6});
  transfer.RunFor(seconds(10));
  CHECK(transfer.receiver().receive_window() == 256 * kKiB);
}

TEST_CASE("A window does not grow when the process has no room", "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath});
  MemoryBudget::Member other(transfer.receiver_budget());
  other.SetUsed(MemoryBudget::kDefaultLimit / 2);
  transfer.RunFor(seconds(5));
  CHECK(transfer.receiver().receive_window() == 256 * kKiB);
  other.SetUsed(0);
  transfer.RunFor(seconds(5));
  CHECK(transfer.receiver().receive_window() > kMiB);
}

TEST_CASE("A window does not grow beyond the channel's share", "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath, .memory_limit = 2 * kMiB});
  transfer.RunFor(seconds(10));
  CHECK(transfer.receiver().receive_window() == kMiB);  // the other half is for the sending side
}

TEST_CASE("A window falls to 1 MiB when the local reader stood still for a second",
          "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath});
  transfer.RunFor(seconds(5));
  REQUIRE(transfer.receiver().receive_window() > 8 * kMiB);
  transfer.StallReader();
  SECTION("a little less is no stall") {
    transfer.RunFor(milliseconds(990));
    transfer.ResumeReader();
    transfer.RunFor(milliseconds(1));
    CHECK(transfer.receiver().receive_window() > 8 * kMiB);
  }
  SECTION("a second is one") {
    transfer.RunFor(milliseconds(1001));
    transfer.ResumeReader();
    CHECK(transfer.receiver().receive_window() == kMiB);
  }
}

TEST_CASE("A window that fell grows again", "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath});
  transfer.RunFor(seconds(5));
  transfer.StallReader();
  transfer.RunFor(seconds(2));
  transfer.ResumeReader();
  transfer.RunFor(seconds(5));
  CHECK(transfer.receiver().receive_window() > 8 * kMiB);
}

TEST_CASE("A window grows on a new path as on the first", "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath});
  transfer.RunFor(milliseconds(120));
  const uint64_t before = transfer.receiver().receive_window();
  REQUIRE(before < 4 * kMiB);
  transfer.Reconnect();
  transfer.RunFor(seconds(5));
  CHECK(transfer.receiver().receive_window() > 8 * kMiB);
}

TEST_CASE("A window is measured anew when the path is lost in the middle of a delivery",
          "[channel][growth]") {
  TimedTransfer transfer({.delay = kLongPath, .reader_per_second = 50e6});
  for (int i = 0; i < 200; ++i) {
    transfer.RunFor(milliseconds(37) + microseconds(331 * i));
    transfer.Reconnect();
  }
  CHECK(transfer.receiver().state() == Channel::State::kOpen);
}

}  // namespace
}  // namespace culvert::tunnel::testing
