// A Channel on its second and later paths.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

using State = Channel::State;
using Verdict = Channel::PathVerdict;

TEST_CASE("A Channel that lost its path is suspended and does not read its local side",
          "[channel][resume]") {
  OpenEnd end;
  end.Send("a");
  end.channel.Detach();
  CHECK(end.channel.suspended());
  CHECK_FALSE(end.channel.attached());
  CHECK(end.channel.SendRoom() == 0);
  CHECK(end.Sent() == Lines{});
}

TEST_CASE("A suspended Channel still delivers what it has received", "[channel][resume]") {
  OpenEnd end;
  (void)end.From(DataOf(1, "a"));
  end.channel.Detach();
  CHECK(end.Take() == "a");
  CHECK(end.channel.deadline() == std::nullopt);
}

TEST_CASE("A Channel sends again what the peer has not received, and acknowledges at once",
          "[channel][resume]") {
  OpenEnd end;
  (void)end.From(DataOf(1, "a"));
  (void)end.Take();
  end.Send("one");
  end.Send("three");
  (void)end.Sent();
  REQUIRE(end.Attach(/*peer_last_id=*/1).ok());
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)", "Data 2 (5 bytes)"});
}

TEST_CASE("A Channel goes on with the window that the peer states in a resume",
          "[channel][resume]") {
  OpenEnd end(Capable(/*peer_window=*/1000));
  end.channel.Send(Filled(end.channel.SendRoom()));
  (void)end.Sent();
  REQUIRE(end.Attach(/*peer_last_id=*/1, /*window=*/500).ok());
  CHECK(end.channel.SendRoom() == 500 - kMessageOverhead);
}

TEST_CASE("A Channel states what it has received and how much more it takes", "[channel][resume]") {
  OpenEnd end(Capable(kWindow, /*own_window=*/10'000));
  (void)end.From(SizedData(1, 1000));
  CHECK(end.channel.last_received_id() == 1);
  CHECK(end.channel.window() == 10'000 - 1000 - kMessageOverhead);
}

TEST_CASE("A Channel ignores an attempt that is not higher than the last", "[channel][resume]") {
  OneEnd end;
  REQUIRE(end.channel.Attach(5, 0, std::nullopt, end.now).ok());
  CHECK(absl::IsInvalidArgument(end.channel.Attach(5, 0, std::nullopt, end.now)));
  CHECK(absl::IsInvalidArgument(end.channel.Attach(4, 0, std::nullopt, end.now)));
  CHECK(end.channel.attempt() == 5);
  CHECK(end.channel.attached());
  end.channel.Detach();
  CHECK(absl::IsInvalidArgument(end.channel.Attach(5, 0, std::nullopt, end.now)));
  CHECK_FALSE(end.channel.attached());
}

TEST_CASE("A Channel refuses attempt 0", "[channel][resume]") {
  OneEnd end;
  CHECK(absl::IsInvalidArgument(end.channel.Attach(0, 0, std::nullopt, end.now)));
  CHECK_FALSE(end.channel.attached());
}

TEST_CASE("A Channel ignores what an older path still brings", "[channel][resume]") {
  OpenEnd end;
  end.Send("a");
  (void)end.Sent();
  REQUIRE(end.Attach().ok());
  (void)end.Sent();
  CHECK(end.channel.OnMessage(1, DataOf(1, "late"), end.now) == Verdict::kOk);
  CHECK(end.channel.OnMessage(1, DataOf(9, "a gap there"), end.now) == Verdict::kOk);
  CHECK(end.channel.OnMessage(1, Ack{1, std::nullopt}, end.now) == Verdict::kOk);
  CHECK(end.channel.OnMessage(1, Error{1, "", ErrorCode::kReset}, end.now) == Verdict::kOk);
  CHECK(end.channel.last_received_id() == 0);
  CHECK(end.channel.unacknowledged() == CostOf(1));
  CHECK(end.channel.state() == State::kOpen);
}

TEST_CASE("A Channel ignores what its path brings after it was given up", "[channel][resume]") {
  OpenEnd end;
  end.channel.Detach();
  CHECK(end.From(DataOf(1, "late")) == Verdict::kOk);
  CHECK(end.channel.last_received_id() == 0);
}

TEST_CASE("A Channel takes an ack on a new path for what an earlier one carried",
          "[channel][resume]") {
  OpenEnd end;
  end.Send("a");
  end.Send("b");
  (void)end.Sent();
  REQUIRE(end.Attach(/*peer_last_id=*/2).ok());
  (void)end.From(Ack{2, std::nullopt});
  CHECK(end.channel.unacknowledged() == 0);
  CHECK(end.channel.state() == State::kOpen);
}

TEST_CASE("A Channel tells the peer out of range when it no longer keeps what the peer lacks",
          "[channel][resume]") {
  OpenEnd end;
  end.Send("a");
  end.Send("b");
  (void)end.Sent();
  (void)end.From(Ack{2, std::nullopt});
  REQUIRE(end.Attach(/*peer_last_id=*/1).ok());
  CHECK(end.channel.state() == State::kAborting);
  CHECK(end.Sent() == Lines{"Error 2 (out of range)"});  // the id that the peer expects
  (void)end.From(Ack{2, std::nullopt});
  CHECK(end.EndedWith(ErrorCode::kOutOfRange));
}

TEST_CASE("A Channel that was aborted before tells that reason when it cannot resume",
          "[channel][resume]") {
  OpenEnd end;
  end.Send("a");
  (void)end.Sent();
  (void)end.From(Ack{1, std::nullopt});
  end.channel.Detach();
  end.channel.Abort(ErrorCode::kTimeout, "");
  REQUIRE(end.Attach(/*peer_last_id=*/0).ok());
  CHECK(end.Sent() == Lines{"Error 1 (timed out)"});
}

TEST_CASE("A peer that states an id which a Channel never sent breaks the protocol",
          "[channel][resume]") {
  OpenEnd end;
  end.Send("a");
  SECTION("an id that does not exist") {
    (void)end.Sent();
    REQUIRE(end.Attach(/*peer_last_id=*/2).ok());
    CHECK(end.Sent() == Lines{"Error 3 (protocol error)"});
  }
  SECTION("an id that no path has carried") {
    REQUIRE(end.Attach(/*peer_last_id=*/1).ok());
    CHECK(end.Sent() == Lines{"Error 2 (protocol error)"});
  }
  CHECK(end.channel.outcome().code == ErrorCode::kProtocol);
}

TEST_CASE("A resume that cannot go on ends a Channel that was closing", "[channel][resume]") {
  OpenEnd end;
  end.channel.FinishSending();
  (void)end.Sent();
  (void)end.From(Ack{1, std::nullopt});
  (void)end.From(EndOf(1));
  end.channel.Detach();
  REQUIRE(end.Take() == "|");
  REQUIRE(end.channel.state() == State::kClosing);
  REQUIRE(end.Attach(/*peer_last_id=*/0).ok());  // it had acknowledged 1
  CHECK(end.channel.state() == State::kAborting);
  CHECK(end.Sent() == Lines{"Error 1 (out of range)"});
}

TEST_CASE("A resume after the last id there is does no harm", "[channel][resume]") {
  OpenEnd end;
  REQUIRE(end.Attach(UINT64_MAX).ok());
  CHECK(end.channel.state() == State::kAborting);
  (void)end.Sent();
  (void)end.From(Ack{UINT64_MAX, UINT64_MAX});
  end.channel.Detach();
  CHECK(end.EndedWith(ErrorCode::kProtocol));
}

TEST_CASE("A suspended Channel ends when the resume is refused for good", "[channel][resume]") {
  OpenEnd end;
  end.Send("a");
  end.channel.Detach();
  end.channel.OnPeerEnded(ErrorCode::kKilled, 0);
  CHECK(end.EndedWith(ErrorCode::kKilled));
  CHECK(end.channel.outcome().by_peer);
  CHECK(end.budget.used() == 0);
}

TEST_CASE("A Channel may be attached again without a Detach in between", "[channel][resume]") {
  OpenEnd end;
  end.Send("a");
  (void)end.Sent();
  REQUIRE(end.Attach(/*peer_last_id=*/0).ok());
  CHECK(end.channel.attempt() == 2);
  CHECK(end.Sent() == Lines{"Data 1 (1 bytes)"});
}

TEST_CASE("The names of a Channel's states are those in its log", "[channel][resume]") {
  CHECK(StateName(State::kOpen) == "open");
  CHECK(StateName(State::kClosing) == "closing");
  CHECK(StateName(State::kAborting) == "aborting");
  CHECK(StateName(State::kEnded) == "ended");
}

}  // namespace
}  // namespace culvert::tunnel::testing
