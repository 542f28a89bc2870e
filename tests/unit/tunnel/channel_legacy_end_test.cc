// How a Channel to a legacy peer ends: there is no half-close, and its acks are not waited for.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

using State = Channel::State;

TEST_CASE("A FIN of the local side is kept back from a legacy peer", "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.Send("a");
  end.channel.FinishSending();
  CHECK(end.channel.SendRoom() == 0);
  CHECK(end.channel.finished_sending());
  CHECK(end.Sent() == Lines{"Data 1 (1 bytes)"});
  CHECK(end.channel.state() == State::kOpen);
}

TEST_CASE("A Channel goes on delivering what a legacy peer sends after a FIN was kept back",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.channel.FinishSending();
  (void)end.From(DataOf(1, "a"));
  CHECK(end.Take() == "a");
}

TEST_CASE("A Close of a legacy peer ends both directions in order", "[channel][legacy]") {
  OpenEnd end(Legacy());
  SECTION("while the local side still sends") {
    end.Send("a");
    (void)end.Sent();
  }
  SECTION("after the local side's FIN") { end.channel.FinishSending(); }
  (void)end.From(DataOf(1, "last"));
  (void)end.From(Close{2});
  CHECK(end.channel.SendRoom() == 0);
  CHECK(end.Sent() == Lines{});  // nothing is acknowledged before it is taken
  CHECK(end.Take() == "last,|");
  CHECK_FALSE(end.Ended());
  CHECK(end.Sent() == Lines{"Ack 2"});
  CHECK(end.EndedClean());
  CHECK(end.budget.used() == 0);
}

TEST_CASE("A Close of a legacy peer drops what was still to be sent to it", "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.Send("a");
  (void)end.From(Close{1});
  CHECK(end.Take() == "|");
  CHECK(end.Sent() == Lines{"Ack 1"});
  CHECK(end.EndedClean());
}

TEST_CASE("A Channel delivers to the end when a legacy peer leaves after its Close",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(DataOf(1, "last"));
  (void)end.From(Close{2});
  SECTION("before the bytes are taken") {
    end.channel.Detach();
    CHECK_FALSE(end.Ended());
    CHECK_FALSE(end.channel.suspended());  // there is nothing that a resume could bring
    CHECK(end.Take() == "last,|");
  }
  SECTION("after they are taken and before the ack") {
    CHECK(end.Take() == "last,|");
    end.channel.Detach();
  }
  CHECK(end.EndedClean());
}

TEST_CASE("A Channel that is given up after a legacy peer's Close still delivers to the end",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(DataOf(1, "last"));
  (void)end.From(Close{2});
  end.channel.Detach();
  end.channel.GiveUp(ErrorCode::kPathLost, "");
  CHECK_FALSE(end.Ended());
  CHECK(end.Take() == "last,|");
  CHECK(end.EndedClean());
}

TEST_CASE("A Channel that is given up before its Close went to a legacy peer is not clean",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.Send("a");
  end.channel.Finish();
  end.channel.Detach();
  end.channel.GiveUp(ErrorCode::kPathLost, "");
  CHECK(end.EndedWith(ErrorCode::kPathLost));
}

TEST_CASE("A legacy peer that resumes after its Close is acknowledged once all is taken",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(Close{1});
  REQUIRE(end.Attach().ok());
  CHECK(end.Take() == "|");
  CHECK(end.Sent() == Lines{"Ack 1"});
  CHECK(end.EndedClean());
}

TEST_CASE("A local side that is done with both directions sends a legacy peer Close",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.Send("a");
  end.channel.Finish();
  CHECK(end.Sent() == Lines{"Data 1 (1 bytes)", "Close 2"});
  CHECK(end.EndedClean());  // its ack may never come
}

TEST_CASE("A kept-back FIN becomes a Close when the local side is done", "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.channel.FinishSending();
  end.channel.Finish();
  CHECK(end.Sent() == Lines{"Close 1"});
  CHECK(end.EndedClean());
}

TEST_CASE("What a legacy peer sends is dropped and read on while a Close for it waits",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(DataOf(1, "a"));
  end.channel.Finish();
  CHECK(end.channel.WantsMessages());
  CHECK(end.budget.used() == 0);
  (void)end.From(DataOf(2, "b"));
  CHECK(end.channel.WantsMessages());
  CHECK(end.Take().empty());
  CHECK(end.channel.state() == State::kClosing);
}

TEST_CASE("A legacy peer's Close that crosses ours is acknowledged and ends the Channel",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.channel.Finish();
  (void)end.From(Close{1});
  CHECK(end.Sent() == Lines{"Ack 1"});
  CHECK(end.EndedClean());
}

TEST_CASE("A legacy peer that loses its path before our Close gets it on the next one",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.Send("a");
  end.channel.Finish();
  end.channel.Detach();
  CHECK(end.channel.suspended());
  SECTION("it resumes") {
    REQUIRE(end.Attach().ok());
    CHECK(end.Sent() == Lines{"Data 1 (1 bytes)", "Close 2"});
    CHECK(end.EndedClean());
  }
  SECTION("it never comes back") {
    end.channel.OnPeerEnded(ErrorCode::kTimeout, 0);
    CHECK(end.EndedWith(ErrorCode::kTimeout));
  }
  SECTION("it had ended by itself") {
    end.channel.OnPeerEnded(ErrorCode::kEnded, 0);
    CHECK(end.EndedClean());
  }
}

TEST_CASE("An Error ends a Channel to a legacy peer as soon as it is sent", "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.Sent() == Lines{"Error 1 (error)"});
  CHECK(end.EndedWith(ErrorCode::kReset));
}

TEST_CASE("An Error of a legacy peer takes effect at once", "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(DataOf(1, "a"));
  (void)end.From(Error{2, "theirs", ErrorCode::kUnspecified});
  CHECK(end.Take().empty());
  CHECK(end.Sent() == Lines{"Ack 2"});
  CHECK(end.EndedWith(ErrorCode::kUnspecified));
  CHECK(end.channel.outcome().message == "theirs");
}

TEST_CASE("A local reset after a legacy peer's Close ends the Channel without a word",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(DataOf(1, "a"));
  (void)end.From(Close{2});
  end.channel.Abort(ErrorCode::kReset, "");
  CHECK(end.EndedWith(ErrorCode::kReset));
  CHECK(end.Sent() == Lines{});
  CHECK(end.budget.used() == 0);
}

TEST_CASE("A message after a legacy peer's Close is a protocol error", "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(Close{1});
  (void)end.From(DataOf(2, "a"));
  CHECK(end.EndedWith(ErrorCode::kProtocol));
}

TEST_CASE("A path that a legacy peer loses suspends the Channel", "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.Send("a");
  end.channel.Detach();
  CHECK(end.channel.suspended());
}

TEST_CASE("A legacy peer's Close is taken silently when the local side is done",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(Close{1});
  end.channel.Finish();
  CHECK(end.Take().empty());
  CHECK(end.Sent() == Lines{"Ack 1"});
  CHECK(end.EndedClean());
}

}  // namespace
}  // namespace culvert::tunnel::testing
