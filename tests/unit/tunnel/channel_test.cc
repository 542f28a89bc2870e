// Opening a Channel, ids, flow control and acks between capable ends. How it ends, aborts and
// resumes is in the files beside this one.
#include "tunnel/channel.h"

#include <memory>

#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

using std::chrono::milliseconds;
using Verdict = Channel::PathVerdict;

TEST_CASE("A Channel without a path neither sends nor reads its local side", "[channel]") {
  OneEnd end;
  CHECK(end.channel.SendRoom() == 0);
  CHECK(end.Sent() == Lines{});
  CHECK_FALSE(end.channel.attached());
  CHECK_FALSE(end.channel.suspended());
}

TEST_CASE("A Channel reads its local side as soon as it has a path", "[channel]") {
  OneEnd end;
  REQUIRE(end.Attach().ok());
  CHECK(end.channel.SendRoom() == kWindow - kMessageOverhead);
  CHECK(end.Sent() == Lines{});  // there is nothing to acknowledge yet
}

TEST_CASE("A Channel numbers what it sends from 1", "[channel]") {
  OpenEnd end;
  end.Send("a");
  end.Send("bc");
  CHECK(end.Sent() == Lines{"Data 1 (1 bytes)", "Data 2 (2 bytes)"});
  CHECK(end.channel.bytes_sent() == 3);
}

TEST_CASE("A Channel sends nothing for no bytes", "[channel]") {
  OpenEnd end;
  SECTION("open") { end.Send(""); }
  SECTION("after the end of its direction") {
    end.channel.FinishSending();
    (void)end.Sent();
    end.Send("");
  }
  SECTION("after an abort") {
    end.channel.Abort(ErrorCode::kReset, "");
    (void)end.Sent();
    end.Send("");
  }
  CHECK(end.Sent() == Lines{});
}

TEST_CASE("A Channel delivers messages in order, one at a time", "[channel]") {
  OpenEnd end;
  REQUIRE(end.From(DataOf(1, "a")) == Verdict::kOk);
  REQUIRE(end.From(DataOf(2, "b")) == Verdict::kOk);
  CHECK(end.channel.NextDelivery(end.now)->bytes.view() == "a");
  CHECK_FALSE(end.channel.NextDelivery(end.now));
  end.channel.Delivered(end.now);
  CHECK(end.channel.NextDelivery(end.now)->bytes.view() == "b");
  CHECK(end.channel.bytes_delivered() == 2);
}

TEST_CASE("A Channel passes over empty messages but acknowledges them", "[channel]") {
  OpenEnd end;
  (void)end.From(DataOf(1, ""));
  (void)end.From(DataOf(2, "b"));
  CHECK(end.Take() == "b");
  end.now += ReceiveWindow::kAckDelay;
  CHECK(end.Sent() == Lines{"Ack 2 (window 65536)"});
}

TEST_CASE("A Channel drops a duplicate and acknowledges again at once", "[channel]") {
  OpenEnd end;
  (void)end.From(DataOf(1, "a"));
  REQUIRE(end.Take() == "a");
  end.now += ReceiveWindow::kAckDelay;
  REQUIRE(end.Sent() == Lines{"Ack 1 (window 65536)"});
  CHECK(end.From(DataOf(1, "a")) == Verdict::kOk);
  CHECK(end.Take().empty());
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)"});
}

TEST_CASE("A gap breaks the path of a Channel and not the Channel", "[channel]") {
  OpenEnd end;
  CHECK(end.From(DataOf(2, "b")) == Verdict::kBreakPath);
  end.channel.Detach();
  CHECK(end.channel.suspended());
  CHECK(end.channel.last_received_id() == 0);
  REQUIRE(end.Attach().ok());
  CHECK(end.From(DataOf(1, "a")) == Verdict::kOk);
  CHECK(end.Take() == "a");
}

TEST_CASE("A gap before a Close or an Error breaks the path as well", "[channel]") {
  OpenEnd end;
  SECTION("Close") { CHECK(end.From(Close{2}) == Verdict::kBreakPath); }
  SECTION("Error") { CHECK(end.From(Error{2, "", ErrorCode::kReset}) == Verdict::kBreakPath); }
  CHECK(end.channel.state() == Channel::State::kOpen);
}

TEST_CASE("A Channel fills the window of its peer to the last byte and then waits", "[channel]") {
  OpenEnd end(Capable(/*peer_window=*/10'000));
  const size_t room = end.channel.SendRoom();
  REQUIRE(room == 10'000 - kMessageOverhead);
  end.channel.Send(Filled(room));
  CHECK(end.channel.SendRoom() == 0);
  CHECK(end.Sent() == Lines{"Data 1 (9872 bytes)"});
  SECTION("an ack makes room") {
    (void)end.From(Ack{1, 10'000});
    CHECK(end.channel.SendRoom() == room);
  }
  SECTION("an ack without a grant makes room for the one message of an empty window") {
    (void)end.From(Ack{1, std::nullopt});
    CHECK(end.channel.SendRoom() == SendWindow::kEmptyWindowRoom);
  }
}

TEST_CASE("A Channel takes what fills its window and refuses a byte more", "[channel]") {
  OpenEnd end(Capable(kWindow, /*own_window=*/10'000));
  (void)end.From(DataOf(1, ""));  // the window is no longer empty
  SECTION("a full window") {
    (void)end.From(SizedData(2, 10'000 - 2 * kMessageOverhead));
    CHECK(end.channel.state() == Channel::State::kOpen);
    CHECK(end.channel.receive_held() == 10'000);
    CHECK(end.channel.window() == 0);
  }
  SECTION("one byte more") {
    (void)end.From(SizedData(2, 10'000 - 2 * kMessageOverhead + 1));
    CHECK(end.channel.state() == Channel::State::kAborting);
    CHECK(end.channel.outcome().code == ErrorCode::kProtocol);
    CHECK(end.Sent() == Lines{"Error 1 (protocol error)"});
  }
}

TEST_CASE("A Channel always wants messages, even with a full window", "[channel]") {
  OpenEnd end(Capable(kWindow, /*own_window=*/10'000));
  (void)end.From(SizedData(1, 10'000));
  CHECK(end.channel.WantsMessages());
}

TEST_CASE("A Channel acknowledges when the local side took the bytes and not before", "[channel]") {
  OpenEnd end;
  Data data = DataOf(1, "a");
  data.ack_required = true;
  (void)end.From(data);
  CHECK(end.Sent() == Lines{});
  REQUIRE(end.channel.NextDelivery(end.now));
  CHECK(end.Sent() == Lines{});
  end.channel.Delivered(end.now);
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)"});
}

TEST_CASE("A Channel tells when its delayed ack is due", "[channel]") {
  OpenEnd end;
  CHECK(end.channel.deadline() == std::nullopt);
  (void)end.From(DataOf(1, "a"));
  (void)end.Take();
  CHECK(end.channel.deadline() == end.now + milliseconds(25));
  CHECK(end.Sent() == Lines{});
  end.now += milliseconds(25);
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)"});
  CHECK(end.channel.deadline() == std::nullopt);
}

TEST_CASE("A Channel sends its acks before its data", "[channel]") {
  OpenEnd end;
  end.Send("mine");
  Data data = DataOf(1, "a");
  data.ack_required = true;
  (void)end.From(data);
  (void)end.Take();
  CHECK(end.Sent() == Lines{"Ack 1 (window 65536)", "Data 1 (4 bytes)"});
}

TEST_CASE("An ack for an id that a Channel never sent is a protocol error", "[channel]") {
  OpenEnd end;
  end.Send("a");
  (void)end.Sent();
  end.Send("b");  // has its id, but no path carried it
  (void)end.From(Ack{GENERATE(uint64_t{2}, uint64_t{3}, UINT64_MAX), std::nullopt});
  CHECK(end.channel.state() == Channel::State::kAborting);
  CHECK(end.channel.outcome().code == ErrorCode::kProtocol);
  CHECK(end.Sent() == Lines{"Error 2 (protocol error)"});
}

TEST_CASE("A Channel takes acks that are late or that it has had", "[channel]") {
  OpenEnd end;
  end.Send("a");
  end.Send("b");
  (void)end.Sent();
  (void)end.From(Ack{2, std::nullopt});
  (void)end.From(Ack{1, std::nullopt});
  (void)end.From(Ack{2, std::nullopt});
  (void)end.From(Ack{0, std::nullopt});
  CHECK(end.channel.state() == Channel::State::kOpen);
  CHECK(end.channel.unacknowledged() == 0);
}

TEST_CASE("A Channel holds no more of what it sends than its share of the budget", "[channel]") {
  OpenEnd end(Capable(/*peer_window=*/kWindow), /*memory_limit=*/40'000);
  CHECK(end.channel.SendRoom() == 20'000 - kMessageOverhead);
  const MemoryBudget::Member other(end.budget);
  CHECK(end.channel.SendRoom() == 10'000 - kMessageOverhead);
}

TEST_CASE("A Channel counts what it holds in both directions against the budget", "[channel]") {
  OpenEnd end;
  end.channel.Send(Filled(1000));
  (void)end.From(SizedData(1, 500));
  CHECK(end.budget.used() == 1500 + 2 * kMessageOverhead);
  CHECK(end.channel.held() == end.budget.used());
  (void)end.Sent();
  (void)end.From(Ack{1, std::nullopt});
  CHECK(end.budget.used() == 500 + kMessageOverhead);
  (void)end.Take();
  CHECK(end.budget.used() == 0);
}

TEST_CASE("A Channel gives back all memory when it is destroyed, whatever it is doing",
          "[channel]") {
  MemoryBudget budget;
  auto channel = std::make_unique<Channel>(Capable(), budget);
  const MonotonicTime now{};
  const auto open = [&] {
    REQUIRE(channel->Attach(1, 0, std::nullopt, now).ok());
    channel->Send(Filled(100));
    (void)channel->OnMessage(1, SizedData(1, 100), now);
  };
  SECTION("new") {}
  SECTION("open") { open(); }
  SECTION("in the middle of a delivery") {
    open();
    (void)channel->NextDelivery(now);
  }
  SECTION("suspended") {
    open();
    channel->Detach();
  }
  SECTION("aborting") {
    open();
    channel->Abort(ErrorCode::kReset, "");
  }
  channel.reset();
  CHECK(budget.used() == 0);
  CHECK(budget.channels() == 0);
}

}  // namespace
}  // namespace culvert::tunnel::testing
