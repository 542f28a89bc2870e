// Order and limits of a ReceiveWindow; acks are in receive_window_ack_test.cc, growth in
// receive_window_grow_test.cc.
#include "tunnel/receive_window.h"

#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"
#include "tests/unit/tunnel/windows.h"

namespace culvert::tunnel::testing {
namespace {

ReceiveWindow CapableReceiver(uint64_t grant = kGrant) {
  return {ReceiveWindow::Peer::kCapable, grant};
}

void Hold(ReceiveWindow& window, size_t size) {
  const uint64_t id = window.last_id() + 1;
  REQUIRE(window.Admit(id) == ReceiveWindow::Verdict::kNew);
  window.Hold(SizedData(id, size), MonotonicTime{});
}

void Take(ReceiveWindow& window) {
  (void)window.BeginTaking(MonotonicTime{});
  window.Taken(MonotonicTime{}, kNoShare, false);
}

TEST_CASE("ReceiveWindow admits ids in order and only once", "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  CHECK(window.Admit(1) == ReceiveWindow::Verdict::kNew);
  CHECK(window.Admit(1) == ReceiveWindow::Verdict::kDuplicate);
  CHECK(window.Admit(0) == ReceiveWindow::Verdict::kDuplicate);
  CHECK(window.Admit(2) == ReceiveWindow::Verdict::kNew);
  CHECK(window.last_id() == 2);
}

TEST_CASE("ReceiveWindow sees a gap and stays where it was", "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  CHECK(window.Admit(2) == ReceiveWindow::Verdict::kGap);
  CHECK(window.Admit(UINT64_MAX) == ReceiveWindow::Verdict::kGap);
  CHECK(window.last_id() == 0);
  CHECK(window.Admit(1) == ReceiveWindow::Verdict::kNew);
}

TEST_CASE("ReceiveWindow covers a message up to the last byte of the grant", "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  Hold(window, 0);  // no longer empty
  const size_t most = kGrant - 2 * kMessageOverhead;
  CHECK(window.WithinGrant(SizedData(2, 0)));
  CHECK(window.WithinGrant(SizedData(2, 1)));
  CHECK(window.WithinGrant(SizedData(2, most)));
  CHECK_FALSE(window.WithinGrant(SizedData(2, most + 1)));
}

TEST_CASE("ReceiveWindow covers an end of stream when the grant is used up", "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  Hold(window, kGrant - kMessageOverhead);
  CHECK_FALSE(window.WithinGrant(SizedData(2, 0)));
  CHECK(window.WithinGrant(EndOf(2)));
}

TEST_CASE("ReceiveWindow covers an end of stream after a message that exceeded the window",
          "[receive_window]") {
  ReceiveWindow window = CapableReceiver(/*grant=*/10);
  Hold(window, 100);
  CHECK(window.WithinGrant(EndOf(2)));
}

TEST_CASE("ReceiveWindow counts the bytes that come with an end of stream", "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  Hold(window, kGrant - kMessageOverhead);
  Data last = SizedData(2, kMaxFreeEndBytes + 1);
  last.end_of_stream = true;
  CHECK_FALSE(window.WithinGrant(last));
}

TEST_CASE("ReceiveWindow covers one message of any size while it is empty", "[receive_window]") {
  ReceiveWindow window = CapableReceiver(/*grant=*/1);
  CHECK(window.WithinGrant(SizedData(1, kMaxDataBytes)));
  Hold(window, 1);
  CHECK_FALSE(window.WithinGrant(SizedData(2, 1)));
  Take(window);
  CHECK(window.WithinGrant(SizedData(2, kMaxDataBytes)));
}

TEST_CASE("ReceiveWindow is not empty while the local side is taking its only message",
          "[receive_window]") {
  ReceiveWindow window = CapableReceiver(/*grant=*/1);
  Hold(window, 1);
  (void)window.BeginTaking(MonotonicTime{});
  CHECK_FALSE(window.WithinGrant(SizedData(2, 1)));
}

TEST_CASE("ReceiveWindow refuses messages larger than the protocol allows", "[receive_window]") {
  CHECK(CapableReceiver(kNoShare).WithinGrant(SizedData(1, kMaxDataBytes)));
  CHECK_FALSE(CapableReceiver(kNoShare).WithinGrant(SizedData(1, kMaxDataBytes + 1)));
  const ReceiveWindow legacy(ReceiveWindow::Peer::kLegacy, 1);
  CHECK(legacy.WithinGrant(SizedData(1, kMaxLegacyDataBytes)));
  CHECK_FALSE(legacy.WithinGrant(SizedData(1, kMaxLegacyDataBytes + 1)));
}

TEST_CASE("ReceiveWindow holds messages until they are taken, in order and one at a time",
          "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  Hold(window, 1);
  Hold(window, 2);
  CHECK(window.held() == 3 + 2 * kMessageOverhead);
  CHECK(window.BeginTaking(MonotonicTime{}).id == 1);
  CHECK_FALSE(window.HasNext());
  CHECK(window.held() == 3 + 2 * kMessageOverhead);
  window.Taken(MonotonicTime{}, kNoShare, false);
  CHECK(window.held() == 2 + kMessageOverhead);
  CHECK(window.BeginTaking(MonotonicTime{}).id == 2);
}

TEST_CASE("ReceiveWindow grants again what was taken", "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  Hold(window, 100);
  CHECK(window.GrantBeyondLast() == kGrant - 100 - kMessageOverhead);
  Take(window);
  CHECK(window.GrantBeyondLast() == kGrant);
}

TEST_CASE("ReceiveWindow grants nothing beyond the last id when a message exceeded the window",
          "[receive_window]") {
  ReceiveWindow window = CapableReceiver(/*grant=*/10);
  Hold(window, 100);
  CHECK(window.GrantBeyondLast() == 0);
}

TEST_CASE("ReceiveWindow grants no more than the share and never takes a grant back",
          "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  Hold(window, 1000);
  (void)window.BeginTaking(MonotonicTime{});
  window.Taken(MonotonicTime{}, /*share=*/5000, false);
  // 10,000 were granted from the start and 1,128 of them are used.
  CHECK(window.GrantBeyondLast() == kGrant - 1000 - kMessageOverhead);
  for (int i = 0; i < 8; ++i) {
    Hold(window, 1000);
    (void)window.BeginTaking(MonotonicTime{});
    window.Taken(MonotonicTime{}, /*share=*/5000, false);
  }
  CHECK(window.GrantBeyondLast() == 5000);
}

TEST_CASE("ReceiveWindow holds nothing after Drop", "[receive_window]") {
  ReceiveWindow window = CapableReceiver();
  Hold(window, 100);
  Hold(window, 100);
  (void)window.BeginTaking(MonotonicTime{});
  window.Drop();
  CHECK(window.held() == 0);
  CHECK_FALSE(window.taking());
  CHECK_FALSE(window.HasNext());
}

}  // namespace
}  // namespace culvert::tunnel::testing
