// Errors, from either side and in every state of a Channel.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

using State = Channel::State;

Error ErrorOf(uint64_t id) { return Error{id, "by the peer", ErrorCode::kRefused}; }

TEST_CASE("A Channel that aborts sends an Error and ends with its ack", "[channel][abort]") {
  OpenEnd end;
  end.channel.Abort(ErrorCode::kReset, "local socket");
  CHECK(end.channel.state() == State::kAborting);
  CHECK(end.Sent() == Lines{"Error 1 (connection reset)"});
  CHECK_FALSE(end.Ended());
  (void)end.From(Ack{1, std::nullopt});
  CHECK(end.EndedWith(ErrorCode::kReset));
  CHECK(end.channel.outcome().message == "local socket");
  CHECK_FALSE(end.channel.outcome().by_peer);
  CHECK(end.budget.used() == 0);
}

TEST_CASE("An Error overtakes what was not yet sent", "[channel][abort]") {
  OpenEnd end;
  end.Send("a");
  (void)end.Sent();
  end.Send("b");
  end.Send("c");
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Sent() == Lines{"Error 2 (connection reset)"});
}

TEST_CASE("An Error overtakes an end of stream and a Close", "[channel][abort]") {
  OpenEnd end;
  end.channel.FinishSending();
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Sent() == Lines{"Error 1 (connection reset)"});
}

TEST_CASE("A full window does not hold back an Error", "[channel][abort]") {
  OpenEnd end(Capable(/*peer_window=*/10'000));
  end.channel.Send(Filled(end.channel.SendRoom()));
  (void)end.Sent();
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Sent() == Lines{"Error 2 (connection reset)"});
}

TEST_CASE("A Channel that aborts drops what was not delivered and takes no more",
          "[channel][abort]") {
  OpenEnd end;
  (void)end.From(DataOf(1, "a"));
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Take().empty());
  CHECK(end.channel.receive_held() == 0);
  (void)end.From(DataOf(2, "b"));
  CHECK(end.Take().empty());
  CHECK(end.channel.receive_held() == 0);
}

TEST_CASE("A Channel sends no acks once it aborts, only the Error", "[channel][abort]") {
  OpenEnd end;
  (void)end.From(DataOf(1, "a"));
  (void)end.Take();
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Sent() == Lines{"Error 1 (connection reset)"});
  CHECK(end.channel.deadline() == std::nullopt);
  SECTION("not a delayed one") { end.now += ReceiveWindow::kAckDelay; }
  SECTION("not for a duplicate") { (void)end.From(DataOf(1, "a")); }
  SECTION("not for what still comes") { (void)end.From(DataOf(2, "b")); }
  SECTION("not for a Close") { (void)end.From(Close{2}); }
  CHECK(end.Sent() == Lines{});
}

TEST_CASE("A Channel that aborts does not take the ack of earlier data for that of its Error",
          "[channel][abort]") {
  OpenEnd end;
  end.Send("a");
  (void)end.Sent();
  end.channel.Abort(ErrorCode::kReset, "");
  (void)end.From(Ack{1, std::nullopt});
  CHECK(end.Sent() == Lines{"Error 2 (connection reset)"});
  (void)end.From(Ack{1, std::nullopt});
  CHECK_FALSE(end.Ended());
}

TEST_CASE("A Channel aborts only once", "[channel][abort]") {
  OpenEnd end;
  end.channel.Abort(ErrorCode::kReset, "first");
  end.channel.Abort(ErrorCode::kTimeout, "second");
  CHECK(end.channel.outcome().code == ErrorCode::kReset);
  CHECK(end.Sent() == Lines{"Error 1 (connection reset)"});
}

TEST_CASE("A delivery that ends after an abort is ignored", "[channel][abort]") {
  OpenEnd end;
  (void)end.From(DataOf(1, "a"));
  REQUIRE(end.channel.NextDelivery(end.now));
  end.channel.Abort(ErrorCode::kReset, "");
  end.channel.Delivered(end.now);
  CHECK(end.Sent() == Lines{"Error 1 (connection reset)"});
}

TEST_CASE("A Channel takes an Error at once, before what it has not delivered",
          "[channel][abort]") {
  OpenEnd end;
  (void)end.From(DataOf(1, "a"));
  (void)end.From(ErrorOf(2));
  CHECK(end.Take().empty());
  CHECK(end.channel.state() == State::kAborting);
  CHECK(end.channel.receive_held() == 0);  // before the ack could be sent
  CHECK(end.Sent() == Lines{"Ack 2 (window 65536)"});
  CHECK(end.EndedWith(ErrorCode::kRefused));
  CHECK(end.channel.outcome().message == "by the peer");
  CHECK(end.channel.outcome().by_peer);
  CHECK(end.budget.used() == 0);
}

TEST_CASE("A Channel that received an Error sends nothing but its ack", "[channel][abort]") {
  OpenEnd end;
  end.Send("a");
  (void)end.Sent();
  end.Send("b");
  (void)end.From(ErrorOf(1));
  CHECK(end.channel.SendRoom() == 0);
  end.channel.FinishSending();
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)"});
  CHECK(end.EndedWith(ErrorCode::kRefused));
}

TEST_CASE("A Channel takes an Error when its window is full", "[channel][abort]") {
  OpenEnd end(Capable(kWindow, /*own_window=*/1000));
  (void)end.From(SizedData(1, 1000));
  (void)end.From(ErrorOf(2));
  CHECK(end.Sent() == Lines{"Ack 2 (window 1000)"});
  CHECK(end.EndedWith(ErrorCode::kRefused));
}

TEST_CASE("A Channel takes an Error after the end of the peer's direction", "[channel][abort]") {
  OpenEnd end;
  (void)end.From(EndOf(1));
  (void)end.Take();
  (void)end.Sent();
  (void)end.From(ErrorOf(2));
  CHECK(end.Sent() == Lines{"Ack 2 (window 65536)"});
  CHECK(end.EndedWith(ErrorCode::kRefused));
}

TEST_CASE("A Channel that is closing takes an Error", "[channel][abort]") {
  OpenEnd end;
  end.channel.FinishSending();
  (void)end.Sent();
  (void)end.From(Ack{1, std::nullopt});
  (void)end.From(EndOf(1));
  (void)end.Take();
  REQUIRE(end.channel.state() == State::kClosing);
  (void)end.Sent();
  (void)end.From(ErrorOf(2));
  CHECK(end.Sent() == Lines{"Ack 2 (window 65536)"});
  CHECK(end.EndedWith(ErrorCode::kRefused));
}

TEST_CASE("A Channel whose Error crosses the peer's acknowledges it and keeps its own reason",
          "[channel][abort]") {
  OpenEnd end;
  end.channel.Abort(ErrorCode::kTimeout, "ours");
  SECTION("already sent") { REQUIRE(end.Sent() == Lines{"Error 1 (timed out)"}); }
  SECTION("not yet sent"){}(void)end.From(ErrorOf(1));
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)"});
  CHECK(end.EndedWith(ErrorCode::kTimeout));
  CHECK_FALSE(end.channel.outcome().by_peer);
}

TEST_CASE("A Channel that received an Error ends when the path goes before its ack",
          "[channel][abort]") {
  OpenEnd end;
  (void)end.From(ErrorOf(1));
  end.channel.Detach();
  CHECK(end.EndedWith(ErrorCode::kRefused));
}

TEST_CASE("A Channel that sent an Error ends when the path goes before the ack",
          "[channel][abort]") {
  OpenEnd end;
  end.channel.Abort(ErrorCode::kReset, "");
  (void)end.Sent();
  end.channel.Detach();
  CHECK(end.EndedWith(ErrorCode::kReset));
}

TEST_CASE("A Channel keeps an Error that it could not send for the next path", "[channel][abort]") {
  const bool suspended_before = GENERATE(false, true);
  const bool peer_has_data = GENERATE(false, true);
  OpenEnd end;
  end.Send("a");
  (void)end.Sent();
  if (suspended_before) end.channel.Detach();
  end.channel.Abort(ErrorCode::kReset, "");
  end.channel.Detach();
  CHECK(end.channel.suspended());
  REQUIRE(end.Attach(/*peer_last_id=*/peer_has_data ? 1 : 0).ok());
  // It takes the id of what the peer lacks.
  CHECK(end.Sent() ==
        Lines{peer_has_data ? "Error 2 (connection reset)" : "Error 1 (connection reset)"});
}

TEST_CASE("A Channel aborted in the middle of a replay sends the Error next", "[channel][abort]") {
  OpenEnd end;
  for (int i = 0; i < 3; ++i) end.Send("a");
  (void)end.Sent();
  REQUIRE(end.Attach(/*peer_last_id=*/0).ok());
  REQUIRE(DebugString(*end.channel.NextMessage(end.now)) == "Data 1 (1 bytes)");
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Sent() == Lines{"Error 2 (connection reset)"});
}

TEST_CASE("A Channel aborted before its first path tells the peer when it has one",
          "[channel][abort]") {
  OneEnd end;
  end.channel.Abort(ErrorCode::kShutdown, "");
  REQUIRE(end.Attach().ok());
  CHECK(end.Sent() == Lines{"Error 1 (shutting down)"});
}

TEST_CASE("A suspended Channel that aborts ends when it hears that the peer has ended",
          "[channel][abort]") {
  OpenEnd end;
  end.channel.Detach();
  end.channel.Abort(ErrorCode::kReset, "ours");
  end.channel.OnPeerEnded(ErrorCode::kTimeout, 0);
  CHECK(end.EndedWith(ErrorCode::kReset));
  CHECK_FALSE(end.channel.outcome().by_peer);
}

TEST_CASE("A Channel cuts the text of the peer's Error to its limit", "[channel][abort]") {
  OpenEnd end;
  (void)end.From(Error{1, std::string(kMaxErrorText + 1, 'x'), ErrorCode::kReset});
  CHECK(end.channel.outcome().message.size() == kMaxErrorText);
}

TEST_CASE("An Outcome says in words how a Channel ended", "[channel][abort]") {
  CHECK(Outcome{true, ErrorCode::kUnspecified, "", false}.ToString() == "closed");
  CHECK(Outcome{false, ErrorCode::kReset, "", false}.ToString() == "connection reset");
  CHECK(Outcome{false, ErrorCode::kReset, "a\nb", true}.ToString() == "connection reset: a\\nb");
}

}  // namespace
}  // namespace culvert::tunnel::testing
