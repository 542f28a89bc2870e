// A Channel that loses its path while it ends.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

using State = Channel::State;

TEST_CASE("A Channel whose Close is not acknowledged asks for another path to tell the peer",
          "[channel][end]") {
  ClosingEnd end;
  SECTION("Close was sent") { REQUIRE(end.Sent() == Lines{"Close 2"}); }
  SECTION("Close was not sent") {}
  end.channel.Detach();
  CHECK(end.channel.suspended());
  CHECK(end.channel.clean());
  SECTION("and none comes") {
    end.channel.GiveUp(ErrorCode::kPathLost, "gone");
    CHECK(end.EndedClean());
  }
  SECTION("and the peer has ended") {
    end.channel.OnPeerEnded(ErrorCode::kEnded, 1);
    CHECK(end.EndedClean());
  }
}

TEST_CASE("A path lost before the peer's end was acknowledged is resumed and told",
          "[channel][end]") {
  HalfClosedEnd end;
  (void)end.From(EndOf(1));
  REQUIRE(end.Take() == "|");
  REQUIRE(end.channel.state() == State::kClosing);
  end.channel.Detach();
  CHECK(end.channel.suspended());
  REQUIRE(end.Attach(/*peer_last_id=*/1).ok());
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)", "Close 2"});
}

TEST_CASE("A Channel whose peer's end is taken while suspended closes on the next path",
          "[channel][end]") {
  HalfClosedEnd end;
  (void)end.From(EndOf(1));
  end.channel.Detach();
  REQUIRE(end.Take() == "|");
  CHECK(end.channel.suspended());
  REQUIRE(end.Attach(/*peer_last_id=*/1).ok());
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)", "Close 2"});
}

TEST_CASE("A path lost after the peer's Close is a clean end", "[channel][end]") {
  ClosingEnd end;
  (void)end.From(Close{2});
  end.channel.Detach();
  CHECK(end.EndedClean());
}

TEST_CASE("A new path for a Channel that is done ends it cleanly and is refused",
          "[channel][end]") {
  ClosingEnd end;
  (void)end.From(Close{2});
  CHECK(absl::IsFailedPrecondition(end.Attach(/*peer_last_id=*/1)));
  CHECK(end.EndedClean());
}

TEST_CASE("A resume answered with ended is a clean end when everything had arrived",
          "[channel][end]") {
  OpenEnd end;
  end.Send("a");
  end.channel.FinishSending();
  (void)end.Sent();
  (void)end.From(EndOf(1));
  (void)end.Take();
  end.channel.Detach();
  REQUIRE(end.channel.suspended());
  SECTION("the peer has received our end") {
    end.channel.OnPeerEnded(ErrorCode::kEnded, 2);
    CHECK(end.EndedClean());
  }
  SECTION("the peer lacks our end") {
    end.channel.OnPeerEnded(ErrorCode::kEnded, 1);
    CHECK(end.EndedWith(ErrorCode::kEnded));
    CHECK(end.channel.outcome().by_peer);
  }
  SECTION("the peer was aborted") {
    end.channel.OnPeerEnded(ErrorCode::kReset, 2);
    CHECK(end.EndedWith(ErrorCode::kReset));
  }
}

TEST_CASE("A resume answered with ended is no clean end when our direction is open",
          "[channel][end]") {
  OpenEnd end;
  (void)end.From(EndOf(1));
  (void)end.Take();
  end.channel.Detach();
  end.channel.OnPeerEnded(ErrorCode::kEnded, 0);
  CHECK(end.EndedWith(ErrorCode::kEnded));
}

TEST_CASE("A resume answered with ended is no clean end when the peer's end is missing",
          "[channel][end]") {
  HalfClosedEnd end;
  end.channel.Detach();
  end.channel.OnPeerEnded(ErrorCode::kEnded, 1);
  CHECK(end.EndedWith(ErrorCode::kEnded));
}

TEST_CASE("A Channel that is given up ends at once with the reason", "[channel][end]") {
  OpenEnd end;
  end.Send("a");
  end.channel.Detach();
  end.channel.GiveUp(ErrorCode::kPathLost, "broker gone");
  CHECK(end.EndedWith(ErrorCode::kPathLost));
  CHECK(end.channel.outcome().message == "broker gone");
  CHECK_FALSE(end.channel.outcome().by_peer);
  CHECK(end.budget.used() == 0);
}

TEST_CASE("A Channel that was aborted keeps that reason when it is given up", "[channel][end]") {
  OpenEnd end;
  end.channel.Abort(ErrorCode::kReset, "ours");
  end.channel.Detach();
  end.channel.GiveUp(ErrorCode::kPathLost, "");
  CHECK(end.EndedWith(ErrorCode::kReset));
}

TEST_CASE("A Channel that is closing ends cleanly when it is given up", "[channel][end]") {
  HalfClosedEnd end;
  (void)end.From(EndOf(1));
  end.channel.Detach();
  REQUIRE(end.Take() == "|");
  end.channel.GiveUp(ErrorCode::kPathLost, "");
  CHECK(end.EndedClean());
}

TEST_CASE("A Channel that only waits for its Close to be heard ends cleanly when nobody is there",
          "[channel][end]") {
  HalfClosedEnd end;
  (void)end.From(EndOf(1));
  end.channel.Detach();
  REQUIRE(end.Take() == "|");
  end.channel.OnPeerEnded(ErrorCode::kTimeout, 0);
  CHECK(end.EndedClean());
}

}  // namespace
}  // namespace culvert::tunnel::testing
