// The orderly end of a Channel between capable peers: half-close and Close. What is left of them
// when the path goes is in channel_end_lost_test.cc.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

using State = Channel::State;

TEST_CASE("A Channel sends an end of stream after all bytes and reads its local side no more",
          "[channel][end]") {
  OpenEnd end;
  end.Send("a");
  end.channel.FinishSending();
  CHECK(end.channel.SendRoom() == 0);
  CHECK(end.channel.finished_sending());
  CHECK(end.Sent() == Lines{"Data 1 (1 bytes)", "Data 2 (0 bytes, end of stream)"});
}

TEST_CASE("A Channel sends one end of stream however often its local side ends", "[channel][end]") {
  OpenEnd end;
  end.channel.FinishSending();
  end.channel.FinishSending();
  end.channel.Finish();
  CHECK(end.Sent() == Lines{"Data 1 (0 bytes, end of stream)"});
}

TEST_CASE("A full window does not hold back the end of a Channel's direction", "[channel][end]") {
  OpenEnd end(Capable(/*peer_window=*/10'000));
  end.channel.Send(Filled(end.channel.SendRoom()));
  REQUIRE(end.channel.SendRoom() == 0);
  end.channel.FinishSending();
  CHECK(end.Sent() == Lines{"Data 1 (9872 bytes)", "Data 2 (0 bytes, end of stream)"});
}

TEST_CASE("A Channel takes the end of its peer's direction when its window is full",
          "[channel][end]") {
  OpenEnd end(Capable(kWindow, /*own_window=*/10'000));
  (void)end.From(SizedData(1, 10'000 - kMessageOverhead));
  (void)end.From(EndOf(2));
  CHECK(end.Take() == std::string(10'000 - kMessageOverhead, 'x') + ",|");
}

TEST_CASE("A Channel delivers an end of stream with the last bytes", "[channel][end]") {
  OpenEnd end;
  Data last = DataOf(1, "last");
  last.end_of_stream = true;
  (void)end.From(last);
  CHECK(end.Take() == "last|");
}

TEST_CASE("A Channel goes on sending after the peer's direction has ended", "[channel][end]") {
  OpenEnd end;
  (void)end.From(EndOf(1));
  REQUIRE(end.Take() == "|");
  end.Send("more");
  CHECK(end.Sent() == Lines{"Data 1 (4 bytes)"});
  CHECK(end.channel.state() == State::kOpen);
}

TEST_CASE("A Channel acknowledges the peer's end within 25 ms while its own direction is open",
          "[channel][end]") {
  OpenEnd end;
  (void)end.From(EndOf(1));
  REQUIRE(end.Take() == "|");
  CHECK(end.Sent() == Lines{});
  CHECK(end.channel.deadline() == end.now + ReceiveWindow::kAckDelay);
  end.now += ReceiveWindow::kAckDelay;
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)"});
}

TEST_CASE("A Channel acknowledges the peer's end with its own", "[channel][end]") {
  OpenEnd end;
  (void)end.From(EndOf(1));
  SECTION("that comes later") {
    (void)end.Take();
    CHECK(end.Sent() == Lines{});
    end.channel.FinishSending();
    CHECK(end.Sent() == Lines{"Ack 1 (window 65536)", "Data 1 (0 bytes, end of stream)"});
  }
  SECTION("that was there before, at once") {
    end.channel.FinishSending();
    REQUIRE(end.Sent() == Lines{"Data 1 (0 bytes, end of stream)"});
    (void)end.Take();
    CHECK(end.Sent() == Lines{"Ack 1 (window 65536)"});
  }
}

TEST_CASE("A Channel goes on delivering after its own direction has ended", "[channel][end]") {
  HalfClosedEnd end;
  (void)end.From(DataOf(1, "more"));
  CHECK(end.Take() == "more");
  CHECK(end.channel.state() == State::kOpen);
}

TEST_CASE("A Channel sends Close when its end is acknowledged and then the peer's delivered",
          "[channel][end]") {
  HalfClosedEnd end;
  (void)end.From(EndOf(1));
  CHECK(end.Sent() == Lines{});
  CHECK(end.Take() == "|");
  CHECK(end.channel.state() == State::kClosing);
  CHECK(end.Sent() == Lines{"Close 2"});
}

TEST_CASE("A Channel sends Close when the peer's end is delivered and then its own acknowledged",
          "[channel][end]") {
  OpenEnd end;
  (void)end.From(EndOf(1));
  (void)end.Take();
  end.channel.FinishSending();
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)", "Data 1 (0 bytes, end of stream)"});
  CHECK(end.channel.state() == State::kOpen);
  (void)end.From(Ack{1, std::nullopt});
  CHECK(end.Sent() == Lines{"Close 2"});
}

TEST_CASE("A Channel does not close before the local side took the peer's end", "[channel][end]") {
  HalfClosedEnd end;
  (void)end.From(EndOf(1));
  REQUIRE(end.channel.NextDelivery(end.now));
  CHECK(end.Sent() == Lines{});
  CHECK(end.channel.state() == State::kOpen);
}

TEST_CASE("A Channel ends cleanly when its Close is acknowledged", "[channel][end]") {
  ClosingEnd end;
  REQUIRE(end.Sent() == Lines{"Close 2"});
  CHECK_FALSE(end.Ended());
  (void)end.From(Ack{2, std::nullopt});
  CHECK(end.EndedClean());
  CHECK(end.budget.used() == 0);
}

TEST_CASE("A Channel that is closing takes no earlier ack for that of its Close",
          "[channel][end]") {
  ClosingEnd end;
  (void)end.From(Ack{1, std::nullopt});
  CHECK_FALSE(end.Ended());
  CHECK(end.Sent() == Lines{"Close 2"});
  (void)end.From(Ack{1, std::nullopt});
  CHECK_FALSE(end.Ended());
}

TEST_CASE("A local reset of a Channel that is closing changes nothing", "[channel][end]") {
  ClosingEnd end;
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Sent() == Lines{"Close 2"});
  (void)end.From(Ack{2, std::nullopt});
  CHECK(end.EndedClean());
}

TEST_CASE("A Channel acknowledges the peer's Close and ends with that", "[channel][end]") {
  OpenEnd end;
  end.channel.FinishSending();
  (void)end.Sent();
  (void)end.From(EndOf(1));
  (void)end.Take();
  (void)end.Sent();
  SECTION("before its own end is acknowledged") {}
  SECTION("after that") { (void)end.From(Ack{1, std::nullopt}); }
  (void)end.From(Close{2});
  CHECK_FALSE(end.Ended());
  CHECK(end.Sent() == Lines{"Ack 2 (window 65536)"});
  CHECK(end.EndedClean());
}

TEST_CASE("A Channel whose Close crosses the peer's acknowledges it and ends", "[channel][end]") {
  ClosingEnd end;
  SECTION("already sent") { REQUIRE(end.Sent() == Lines{"Close 2"}); }
  SECTION("not yet sent"){}(void)end.From(Close{2});
  CHECK(end.Sent() == Lines{"Ack 2 (window 65536)"});
  CHECK(end.EndedClean());
}

TEST_CASE("A Close before both directions ended is a protocol error", "[channel][end]") {
  OpenEnd end;
  SECTION("neither") { (void)end.From(Close{1}); }
  SECTION("only the peer's") {
    (void)end.From(EndOf(1));
    (void)end.Take();
    (void)end.From(Close{2});
  }
  SECTION("only ours") {
    end.channel.FinishSending();
    (void)end.Sent();
    (void)end.From(Close{1});
  }
  SECTION("the peer's is received and not delivered") {
    end.channel.FinishSending();
    (void)end.Sent();
    (void)end.From(EndOf(1));
    (void)end.From(Close{2});
  }
  SECTION("ours has not been sent yet") {
    (void)end.From(EndOf(1));
    (void)end.Take();
    end.channel.FinishSending();
    (void)end.From(Close{2});
  }
  CHECK(end.channel.state() == State::kAborting);
  CHECK(end.channel.outcome().code == ErrorCode::kProtocol);
}

TEST_CASE("Data after the end of its direction is a protocol error", "[channel][end]") {
  OpenEnd end;
  (void)end.From(EndOf(1));
  SECTION("bytes") { (void)end.From(DataOf(2, "a")); }
  SECTION("another end") { (void)end.From(EndOf(2)); }
  CHECK(end.channel.state() == State::kAborting);
  CHECK(end.channel.outcome().code == ErrorCode::kProtocol);
}

TEST_CASE("A protocol error ends a Channel that is closing", "[channel][end]") {
  ClosingEnd end;
  SECTION("data after the end") { (void)end.From(DataOf(2, "a")); }
  SECTION("an ack for an id never sent") { (void)end.From(Ack{9, std::nullopt}); }
  CHECK(end.channel.state() == State::kAborting);
  CHECK(end.Sent() == Lines{"Error 2 (protocol error)"});
  (void)end.From(Ack{2, std::nullopt});
  CHECK(end.EndedWith(ErrorCode::kProtocol));
}

TEST_CASE("A Channel whose local side is done with both directions drops what still comes",
          "[channel][end]") {
  OpenEnd end;
  end.channel.Finish();
  REQUIRE(end.Sent() == Lines{"Data 1 (0 bytes, end of stream)"});
  (void)end.From(DataOf(1, "a"));
  (void)end.From(EndOf(2));
  CHECK(end.Take().empty());
  CHECK(end.channel.bytes_delivered() == 0);
  (void)end.From(Ack{1, std::nullopt});
  CHECK(end.Sent() == Lines{"Close 2"});
}

TEST_CASE("A Channel that has ended takes and sends nothing", "[channel][end]") {
  ClosingEnd end;
  (void)end.From(Close{2});
  end.channel.Detach();
  REQUIRE(end.EndedClean());
  CHECK(end.From(DataOf(2, "a")) == Channel::PathVerdict::kOk);
  end.channel.Abort(ErrorCode::kReset, "");
  end.channel.OnPeerEnded(ErrorCode::kReset, 0);
  end.channel.FinishSending();
  end.channel.Finish();
  end.channel.Delivered(end.now);
  end.channel.Detach();
  CHECK(absl::IsFailedPrecondition(end.Attach()));
  CHECK(end.EndedClean());
  CHECK(end.Sent() == Lines{});
  CHECK(end.Take().empty());
  CHECK(end.channel.SendRoom() == 0);
  CHECK(end.channel.deadline() == std::nullopt);
}

}  // namespace
}  // namespace culvert::tunnel::testing
