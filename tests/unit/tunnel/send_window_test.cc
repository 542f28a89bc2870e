#include "tunnel/send_window.h"

#include <string>

#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"
#include "tests/unit/tunnel/windows.h"

namespace culvert::tunnel::testing {
namespace {

SendWindow CapableSender(uint64_t grant) { return {SendWindow::Peer::kCapable, grant}; }
SendWindow LegacySender() { return {SendWindow::Peer::kLegacy, 0}; }

void Append(SendWindow& window, size_t size, uint64_t share = kNoShare) {
  window.Append(Filled(size), /*end_of_stream=*/false, share);
}

void AppendEnd(SendWindow& window) { window.Append(Bytes(), /*end_of_stream=*/true, kNoShare); }

TEST_CASE("SendWindow has room for the grant less the cost of a message", "[send_window]") {
  CHECK(CapableSender(10'000).Room(kNoShare) == 10'000 - kMessageOverhead);
}

TEST_CASE("SendWindow counts the overhead of each message against the grant", "[send_window]") {
  SendWindow window = CapableSender(10'000);
  Append(window, 1);
  Append(window, 1);
  CHECK(window.held() == 2 * (1 + kMessageOverhead));
  CHECK(window.Room(kNoShare) == 10'000 - 2 * (1 + kMessageOverhead) - kMessageOverhead);
}

TEST_CASE("SendWindow has no room left when the grant is used to the last byte", "[send_window]") {
  SendWindow window = CapableSender(10'000);
  SECTION("exactly") { Append(window, 10'000 - kMessageOverhead); }
  SECTION("all but the overhead of one more message") {
    Append(window, 10'000 - 2 * kMessageOverhead);
  }
  SECTION("a byte less than that overhead is left") {
    Append(window, 10'000 - 2 * kMessageOverhead + 1);
  }
  CHECK(window.Room(kNoShare) == 0);
}

TEST_CASE("SendWindow has room for one byte when just that is granted", "[send_window]") {
  SendWindow window = CapableSender(10'000);
  Append(window, 10'000 - 2 * kMessageOverhead - 1);
  CHECK(window.Room(kNoShare) == 1);
}

TEST_CASE("SendWindow has room for no more than one message's size", "[send_window]") {
  CHECK(CapableSender(10 * kMaxDataBytes).Room(kNoShare) == kMaxDataBytes);
}

TEST_CASE("SendWindow lets one message exceed an empty window, and then none", "[send_window]") {
  SendWindow window = CapableSender(0);
  CHECK(window.Room(kNoShare) == SendWindow::kEmptyWindowRoom);
  Append(window, 1);
  CHECK(window.Room(kNoShare) == 0);
  TakeAll(window);
  REQUIRE(window.OnAck(1, 0).ok());
  CHECK(window.Room(kNoShare) == SendWindow::kEmptyWindowRoom);
}

TEST_CASE("SendWindow is limited by the process's share when that is smaller than the grant",
          "[send_window]") {
  SendWindow window = CapableSender(1'000'000);
  CHECK(window.Room(8192) == 8192 - kMessageOverhead);
  Append(window, 8192 - kMessageOverhead);
  CHECK(window.Room(8192) == 0);
  TakeAll(window);
  REQUIRE(window.OnAck(1, std::nullopt).ok());
  CHECK(window.Room(8192) == 8192 - kMessageOverhead);
}

TEST_CASE("SendWindow takes an end of stream when there is no room", "[send_window]") {
  SendWindow window = CapableSender(kMessageOverhead + 10);
  Append(window, 10);
  REQUIRE(window.Room(kNoShare) == 0);
  AppendEnd(window);
  CHECK(window.held() == 10 + kMessageOverhead);
  CHECK(TakeAll(window) == Lines{"Data 1 (10 bytes)", "Data 2 (0 bytes, end of stream)"});
}

TEST_CASE("SendWindow acks are cumulative", "[send_window]") {
  SendWindow window = CapableSender(10'000);
  for (int i = 0; i < 3; ++i) Append(window, 100);
  TakeAll(window);
  REQUIRE(window.OnAck(2, std::nullopt).ok());
  CHECK(window.acked_id() == 2);
  CHECK(window.held() == 100 + kMessageOverhead);
  CHECK(window.held_bytes() == 100);
  REQUIRE(window.OnAck(3, std::nullopt).ok());
  CHECK(window.all_acked());
  CHECK(window.held() == 0);
}

TEST_CASE("SendWindow ignores an ack that is older than the last one, and its grant",
          "[send_window]") {
  SendWindow window = CapableSender(1000);
  for (int i = 0; i < 3; ++i) Append(window, 100);
  TakeAll(window);
  REQUIRE(window.OnAck(2, 1000).ok());
  const size_t room = window.Room(kNoShare);
  REQUIRE(window.OnAck(1, 100'000).ok());
  CHECK(window.acked_id() == 2);
  CHECK(window.Room(kNoShare) == room);
}

TEST_CASE("SendWindow counts a grant from the acked id", "[send_window]") {
  SendWindow window = CapableSender(1000);
  Append(window, 100);
  Append(window, 100);
  TakeAll(window);
  REQUIRE(window.OnAck(1, 1000).ok());
  CHECK(window.Room(kNoShare) == 1000 - (100 + kMessageOverhead) - kMessageOverhead);
}

TEST_CASE("SendWindow never loses what was granted", "[send_window]") {
  SendWindow window = CapableSender(10'000);
  Append(window, 100);
  TakeAll(window);
  REQUIRE(window.OnAck(1, 0).ok());
  CHECK(window.Room(kNoShare) == 10'000 - (100 + kMessageOverhead) - kMessageOverhead);
}

TEST_CASE("SendWindow survives the largest grants there are", "[send_window]") {
  SendWindow window = CapableSender(GENERATE(uint64_t{1000}, UINT64_MAX));
  Append(window, 100);
  TakeAll(window);
  REQUIRE(window.OnAck(1, UINT64_MAX).ok());
  CHECK(window.Room(kNoShare) == kMaxDataBytes);
}

TEST_CASE("SendWindow refuses an ack for an id that was never sent", "[send_window]") {
  SendWindow window = CapableSender(10'000);
  Append(window, 100);
  Append(window, 100);
  (void)window.TakeNext();
  SECTION("an id that does not exist") { CHECK(absl::IsInvalidArgument(window.OnAck(3, 0))); }
  SECTION("an id that no path has carried") { CHECK(absl::IsInvalidArgument(window.OnAck(2, 0))); }
  CHECK(window.acked_id() == 0);
}

TEST_CASE("SendWindow takes the last id that was sent as an ack", "[send_window]") {
  SendWindow window = CapableSender(10'000);
  Append(window, 100);
  TakeAll(window);
  CHECK(window.OnAck(1, 0).ok());
}

TEST_CASE("SendWindow has no room after an abort", "[send_window]") {
  SendWindow window = CapableSender(10'000);
  window.Abort(ErrorCode::kReset, "");
  CHECK(window.Room(kNoShare) == 0);
}

TEST_CASE("SendWindow has room for one message of a legacy peer at a time", "[send_window]") {
  SendWindow window = LegacySender();
  CHECK(window.Room(kNoShare) == kMaxDataBytes);
  Append(window, 1);
  CHECK(window.Room(kNoShare) == 0);
  TakeAll(window);
  CHECK(window.Room(kNoShare) == kMaxDataBytes);
}

TEST_CASE("SendWindow gives a legacy peer no larger message than the process's share",
          "[send_window]") {
  CHECK(LegacySender().Room(8192) == 8192 - kMessageOverhead);
  CHECK(LegacySender().Room(1) == SendWindow::kEmptyWindowRoom);
}

TEST_CASE("SendWindow asks a legacy peer for an ack at every quarter window", "[send_window]") {
  constexpr size_t kEighth = SendWindow::kLegacyKept / 8 - kMessageOverhead;
  SendWindow window = LegacySender();
  Lines asked;
  for (int i = 0; i < 6; ++i) {
    Append(window, kEighth);
    asked.push_back(std::get<Data>(window.TakeNext()).ack_required ? "asks" : "-");
  }
  CHECK(asked == Lines{"-", "asks", "-", "asks", "-", "asks"});
}

TEST_CASE("SendWindow asks a legacy peer not before a quarter window is full", "[send_window]") {
  SendWindow window = LegacySender();
  Append(window, SendWindow::kLegacyKept / 4 - kMessageOverhead - 1);
  CHECK_FALSE(std::get<Data>(window.TakeNext()).ack_required);
}

TEST_CASE("SendWindow never asks a capable peer for an ack", "[send_window]") {
  SendWindow window = CapableSender(kNoShare);
  for (int i = 0; i < 8; ++i) {
    Append(window, kMaxDataBytes);
    CHECK_FALSE(std::get<Data>(window.TakeNext()).ack_required);
  }
}

TEST_CASE("SendWindow keeps a legacy peer's messages up to the window and drops the oldest",
          "[send_window]") {
  constexpr size_t kQuarter = SendWindow::kLegacyKept / 4 - kMessageOverhead;
  SendWindow window = LegacySender();
  for (int i = 0; i < 4; ++i) {
    Append(window, kQuarter);
    TakeAll(window);
  }
  CHECK(window.acked_id() == 0);
  CHECK(window.held() == SendWindow::kLegacyKept);
  Append(window, 1);
  TakeAll(window);
  CHECK(window.acked_id() == 1);
}

TEST_CASE("SendWindow keeps the last message of a legacy peer however large it is",
          "[send_window]") {
  SendWindow window = LegacySender();
  Append(window, kMaxDataBytes);
  TakeAll(window);
  CHECK(window.acked_id() == 0);
}

TEST_CASE("SendWindow keeps no more of a legacy peer than the process's share", "[send_window]") {
  SendWindow window = LegacySender();
  for (int i = 0; i < 10; ++i) {
    Append(window, 1000, /*share=*/8192);
    TakeAll(window);
  }
  CHECK(window.held() <= 8192);
  CHECK(window.held() > 8192 - 1000 - kMessageOverhead);
}

TEST_CASE("SendWindow asks for acks at a quarter of what it keeps when that is the share",
          "[send_window]") {
  SendWindow window = LegacySender();
  Append(window, 2048 - kMessageOverhead, /*share=*/8192);
  CHECK(std::get<Data>(window.TakeNext()).ack_required);
}

}  // namespace
}  // namespace culvert::tunnel::testing
