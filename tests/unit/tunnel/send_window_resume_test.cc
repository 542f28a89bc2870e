// A SendWindow on its second path, and Errors, which take the place of what was not received.
#include <string>

#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"
#include "tests/unit/tunnel/windows.h"
#include "tunnel/send_window.h"

namespace culvert::tunnel::testing {
namespace {

// Three messages of 1, 2 and 3 bytes; `handed` of them are on the path.
SendWindow WithThree(int handed, SendWindow::Peer peer = SendWindow::Peer::kCapable) {
  SendWindow window(peer, 10'000);
  for (size_t size : {1u, 2u, 3u}) window.Append(Filled(size), false, kNoShare);
  for (int i = 0; i < handed; ++i) (void)window.TakeNext();
  return window;
}

TEST_CASE("SendWindow hands over again what the peer has not received when it resumes",
          "[send_window]") {
  SendWindow window = WithThree(3);
  REQUIRE(window.Resume(1, std::nullopt).ok());
  CHECK(TakeAll(window) == Lines{"Data 2 (2 bytes)", "Data 3 (3 bytes)"});
}

TEST_CASE("SendWindow hands over nothing again when the peer has received everything",
          "[send_window]") {
  SendWindow window = WithThree(3);
  REQUIRE(window.Resume(3, std::nullopt).ok());
  CHECK_FALSE(window.HasNext());
  CHECK(window.acked_id() == 0);  // received is not taken
}

TEST_CASE("SendWindow counts the grant of a resume from the id that the peer received",
          "[send_window]") {
  SendWindow window(SendWindow::Peer::kCapable, 1000);
  for (int i = 0; i < 3; ++i) window.Append(Filled(100), false, kNoShare);
  TakeAll(window);
  REQUIRE(window.Resume(2, 1000).ok());
  CHECK(window.Room(kNoShare) == 1000 - (100 + kMessageOverhead) - kMessageOverhead);
}

TEST_CASE("SendWindow refuses to resume after an id that is no longer kept", "[send_window]") {
  SendWindow window = WithThree(3);
  REQUIRE(window.OnAck(2, std::nullopt).ok());
  CHECK(absl::IsOutOfRange(window.Resume(1, std::nullopt)));
  CHECK(window.Resume(2, std::nullopt).ok());
}

TEST_CASE("SendWindow refuses to resume after an id that was never sent", "[send_window]") {
  SendWindow window = WithThree(2);
  SECTION("an id that does not exist") {
    CHECK(absl::IsInvalidArgument(window.Resume(4, std::nullopt)));
  }
  SECTION("an id that no path has carried") {
    CHECK(absl::IsInvalidArgument(window.Resume(3, std::nullopt)));
  }
}

TEST_CASE("SendWindow takes an ack for what an earlier path carried before it is sent again",
          "[send_window]") {
  SendWindow window = WithThree(3);
  REQUIRE(window.Resume(0, std::nullopt).ok());
  REQUIRE(window.OnAck(2, std::nullopt).ok());
  CHECK(TakeAll(window) == Lines{"Data 3 (3 bytes)"});
}

TEST_CASE("SendWindow puts an Error in the place of what was not handed over", "[send_window]") {
  SendWindow window = WithThree(1);
  window.Abort(ErrorCode::kReset, "why");
  CHECK(TakeAll(window) == Lines{"Error 2 (connection reset)"});
  CHECK(window.held_bytes() == 1);
  CHECK(window.held() == 1 + kMessageOverhead);
}

TEST_CASE("SendWindow gives an Error the first free id when the peer lacks what was sent",
          "[send_window]") {
  SendWindow window = WithThree(3);
  window.Abort(ErrorCode::kReset, "why");
  REQUIRE(window.last_id() == 4);
  REQUIRE(window.Resume(1, std::nullopt).ok());
  CHECK(TakeAll(window) == Lines{"Error 2 (connection reset)"});
  CHECK(window.error_handed());
}

TEST_CASE("SendWindow refuses an ack for an id that an Error has replaced", "[send_window]") {
  SendWindow window = WithThree(3);
  window.Abort(ErrorCode::kReset, "why");
  REQUIRE(window.Resume(1, std::nullopt).ok());
  CHECK(absl::IsInvalidArgument(window.OnAck(3, std::nullopt)));
  CHECK(absl::IsInvalidArgument(window.OnAck(2, std::nullopt)));
  TakeAll(window);
  CHECK(window.OnAck(2, std::nullopt).ok());
  CHECK(window.all_acked());
}

TEST_CASE("SendWindow gives an Error the id after what the peer states if it cannot go on",
          "[send_window]") {
  SendWindow window = WithThree(3);
  window.AbortAfter(17, ErrorCode::kOutOfRange, "gone");
  CHECK(TakeAll(window) == Lines{"Error 18 (out of range)"});
  CHECK(window.held() == 0);
  CHECK(window.OnAck(18, std::nullopt).ok());
  CHECK(window.all_acked());
}

TEST_CASE("SendWindow cuts the text of an Error to its limit", "[send_window]") {
  SendWindow window = WithThree(0);
  window.Abort(ErrorCode::kReset, std::string(kMaxErrorText + 1, 'x'));
  CHECK(std::get<Error>(window.TakeNext()).message == std::string(kMaxErrorText, 'x'));
}

TEST_CASE("SendWindow keeps a text of exactly the limit", "[send_window]") {
  SendWindow window = WithThree(0);
  window.Abort(ErrorCode::kReset, std::string(kMaxErrorText, 'x'));
  CHECK(std::get<Error>(window.TakeNext()).message.size() == kMaxErrorText);
}

TEST_CASE("SendWindow tells a legacy peer the words and not the code of an Error",
          "[send_window]") {
  SendWindow window = WithThree(0, SendWindow::Peer::kLegacy);
  SECTION("its own words") {
    window.Abort(ErrorCode::kRefused, "dial 127.0.0.1:22");
    const auto error = std::get<Error>(window.TakeNext());
    CHECK(error.code == ErrorCode::kUnspecified);
    CHECK(error.message == "dial 127.0.0.1:22");
  }
  SECTION("those of the code if there are no others") {
    window.Abort(ErrorCode::kRefused, "");
    const auto error = std::get<Error>(window.TakeNext());
    CHECK(error.code == ErrorCode::kUnspecified);
    CHECK(error.message == "connection refused");
  }
}

TEST_CASE("SendWindow holds nothing after Drop", "[send_window]") {
  SendWindow window = WithThree(2);
  window.Drop();
  CHECK(window.held() == 0);
  CHECK(window.held_bytes() == 0);
  CHECK_FALSE(window.HasNext());
  CHECK(window.last_id() == 3);
}

TEST_CASE("SendWindow refuses a late resume of a legacy peer", "[send_window]") {
  SendWindow window(SendWindow::Peer::kLegacy, 0);
  for (int i = 0; i < 3; ++i) {
    window.Append(Filled(kMaxDataBytes), false, kNoShare);
    TakeAll(window);
  }
  CHECK(absl::IsOutOfRange(window.Resume(1, std::nullopt)));
  CHECK(window.Resume(2, std::nullopt).ok());
  CHECK(TakeAll(window) == Lines{"Data 3 (262144 bytes, ack required)"});
}

}  // namespace
}  // namespace culvert::tunnel::testing
