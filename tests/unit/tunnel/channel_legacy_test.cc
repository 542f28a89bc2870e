// A Channel to a client that knows only the public protos: docs/protocol.md, "Capabilities and
// legacy peers". How it ends is in channel_legacy_end_test.cc.
#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

using std::chrono::milliseconds;
using State = Channel::State;

TEST_CASE("A peer that announces no capabilities is legacy", "[channel][legacy]") {
  MemoryBudget budget;
  CHECK(Channel(Legacy(), budget).legacy());
  CHECK_FALSE(Channel(Capable(), budget).legacy());
  Channel::Options other = Legacy();
  other.peer_capabilities = ~kCapExactTcp;
  CHECK(Channel(other, budget).legacy());
}

TEST_CASE("A legacy peer is sent nothing but plain messages", "[channel][legacy]") {
  OpenEnd end(Legacy());
  Data asks = DataOf(1, "a");
  asks.ack_required = true;
  (void)end.From(asks);
  (void)end.Take();
  CHECK(end.Sent() == Lines{"Ack 1"});  // no window
  end.Send("mine");
  CHECK(end.Sent() == Lines{"Data 1 (4 bytes)"});
  end.channel.FinishSending();
  CHECK(end.Sent() == Lines{});  // no end of stream
  end.channel.Abort(ErrorCode::kReset, "local socket");
  const auto error = std::get<Error>(*end.channel.NextMessage(end.now));
  CHECK(error.code == ErrorCode::kUnspecified);  // no code
  CHECK(error.message == "local socket");
}

TEST_CASE("A legacy peer hears no ack before it sent anything", "[channel][legacy]") {
  OneEnd end(Legacy());
  REQUIRE(end.Attach().ok());
  CHECK(end.Sent() == Lines{});
}

TEST_CASE("A legacy peer's fields beyond the public protos are not looked at",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  Data data = DataOf(1, "a");
  data.end_of_stream = true;
  (void)end.From(data);
  CHECK(end.Take() == "a");
  (void)end.From(DataOf(2, "b"));
  CHECK(end.Take() == "b");
  CHECK(end.channel.state() == State::kOpen);
}

TEST_CASE("A legacy peer's acks are not waited for", "[channel][legacy]") {
  OpenEnd end(Legacy());
  for (int i = 0; i < 10; ++i) {
    REQUIRE(end.channel.SendRoom() == kMaxDataBytes);
    end.channel.Send(Filled(kMaxDataBytes));
    REQUIRE(end.channel.NextMessage(end.now));
  }
  CHECK(end.channel.SendRoom() == kMaxDataBytes);
}

TEST_CASE("A legacy peer is sent one message at a time", "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.Send("a");
  CHECK(end.channel.SendRoom() == 0);
  (void)end.Sent();
  CHECK(end.channel.SendRoom() == kMaxDataBytes);
}

TEST_CASE("A legacy peer is asked for an ack at every quarter window", "[channel][legacy]") {
  OpenEnd end(Legacy());
  Lines sent;
  for (int i = 0; i < 4; ++i) {
    end.channel.Send(Filled(32 * 1024 - kMessageOverhead));
    for (std::string& line : end.Sent()) sent.push_back(std::move(line));
  }
  CHECK(sent == Lines{"Data 1 (32640 bytes)", "Data 2 (32640 bytes, ack required)",
                      "Data 3 (32640 bytes)", "Data 4 (32640 bytes, ack required)"});
}

TEST_CASE("The oldest messages to a legacy peer are dropped beyond the window",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  for (int i = 0; i < 20; ++i) {
    end.channel.Send(Filled(50'000));
    (void)end.Sent();
  }
  CHECK(end.channel.unacknowledged() <= SendWindow::kLegacyKept);
  CHECK(end.channel.unacknowledged() > SendWindow::kLegacyKept - CostOf(50'000));
  CHECK(end.budget.used() == end.channel.unacknowledged());
}

TEST_CASE("A legacy peer's share of the budget bounds what is kept for it", "[channel][legacy]") {
  OpenEnd end(Legacy(), /*memory_limit=*/40'000);
  for (int i = 0; i < 20; ++i) {
    end.channel.Send(Filled(std::min<size_t>(end.channel.SendRoom(), 5'000)));
    (void)end.Sent();
  }
  CHECK(end.channel.unacknowledged() <= 20'000);
}

TEST_CASE("An ack of a legacy peer frees what it covers", "[channel][legacy]") {
  OpenEnd end(Legacy());
  end.Send("a");
  (void)end.Sent();
  (void)end.From(Ack{1, std::nullopt});
  CHECK(end.channel.unacknowledged() == 0);
}

TEST_CASE("An ack of a legacy peer for an id never sent is a protocol error", "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(Ack{1, std::nullopt});
  (void)end.Sent();
  CHECK(end.EndedWith(ErrorCode::kProtocol));
}

TEST_CASE("A legacy peer that resumes soon enough is sent what it lacks", "[channel][legacy]") {
  OpenEnd end(Legacy());
  for (const char* text : {"a", "bc", "def"}) {
    end.Send(text);
    (void)end.Sent();
  }
  end.channel.Detach();
  CHECK(end.channel.suspended());
  REQUIRE(end.Attach(/*peer_last_id=*/1).ok());
  CHECK(end.channel.SendRoom() == 0);
  CHECK(end.Sent() == Lines{"Data 2 (2 bytes)", "Data 3 (3 bytes)"});
  CHECK(end.channel.SendRoom() == kMaxDataBytes);
}

TEST_CASE("A legacy peer that resumes too late hears out of range", "[channel][legacy]") {
  OpenEnd end(Legacy());
  for (int i = 0; i < 3; ++i) {
    end.channel.Send(Filled(kMaxDataBytes));
    (void)end.Sent();
  }
  REQUIRE(end.Attach(/*peer_last_id=*/1).ok());
  const auto error = std::get<Error>(*end.channel.NextMessage(end.now));
  CHECK(error.id == 2);
  CHECK_FALSE(error.message.empty());
  CHECK(end.EndedWith(ErrorCode::kOutOfRange));
}

TEST_CASE("What a legacy peer sends is acknowledged after 200 ms at the latest",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(DataOf(1, "a"));
  (void)end.Take();
  end.now += milliseconds(100);
  (void)end.From(DataOf(2, "b"));
  (void)end.Take();
  CHECK(end.Sent() == Lines{});
  CHECK(end.channel.deadline() == end.now + milliseconds(100));
  end.now += milliseconds(100);
  CHECK(end.Sent() == Lines{"Ack 2"});
}

TEST_CASE("What a legacy peer wants acknowledged is so as soon as it is taken",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  Data asks = DataOf(1, "a");
  asks.ack_required = true;
  (void)end.From(asks);
  CHECK(end.Sent() == Lines{});
  (void)end.Take();
  CHECK(end.Sent() == Lines{"Ack 1"});
}

TEST_CASE("A legacy peer is not read while a message of it is not taken", "[channel][legacy]") {
  OpenEnd end(Legacy());
  CHECK(end.channel.WantsMessages());
  (void)end.From(DataOf(1, "a"));
  CHECK_FALSE(end.channel.WantsMessages());
  REQUIRE(end.channel.NextDelivery(end.now));
  CHECK_FALSE(end.channel.WantsMessages());
  end.channel.Delivered(end.now);
  CHECK(end.channel.WantsMessages());
  (void)end.From(Close{2});
  REQUIRE(end.channel.NextDelivery(end.now));
  CHECK_FALSE(end.channel.WantsMessages());
}

TEST_CASE("A legacy peer may send messages of up to 1 MiB less 4 KiB", "[channel][legacy]") {
  OpenEnd end(Legacy());
  SECTION("that much") {
    (void)end.From(SizedData(1, kMaxLegacyDataBytes));
    CHECK(end.channel.state() == State::kOpen);
  }
  SECTION("a byte more") {
    (void)end.From(SizedData(1, kMaxLegacyDataBytes + 1));
    CHECK(end.channel.outcome().code == ErrorCode::kProtocol);
  }
}

TEST_CASE("A capable peer may send messages of up to 256 KiB", "[channel]") {
  OpenEnd end(Capable(kWindow, /*own_window=*/4 * kMaxDataBytes));
  SECTION("that much") {
    (void)end.From(SizedData(1, kMaxDataBytes));
    CHECK(end.channel.state() == State::kOpen);
  }
  SECTION("a byte more") {
    (void)end.From(SizedData(1, kMaxDataBytes + 1));
    CHECK(end.channel.outcome().code == ErrorCode::kProtocol);
  }
}

TEST_CASE("A legacy peer that is held hears its last ack again and again", "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(DataOf(1, "taken"));
  CHECK(end.Take() == "taken");
  end.now += milliseconds(200);
  CHECK(end.Sent() == Lines{"Ack 1"});
  (void)end.From(DataOf(2, "not taken"));
  REQUIRE_FALSE(end.channel.WantsMessages());
  REQUIRE(end.channel.deadline() == end.now + Channel::kProbeTime);
  end.now += Channel::kProbeTime - milliseconds(1);
  CHECK(end.Sent() == Lines{});
  for (int i = 0; i < 3; ++i) {
    end.now += Channel::kProbeTime;
    CHECK(end.Sent() == Lines{"Ack 1"});
  }
  // Not one that keeps up, nor one that has closed.
  CHECK(end.Take() == "not taken");
  end.now += Channel::kProbeTime;
  CHECK(end.Sent() == Lines{"Ack 2"});
  CHECK_FALSE(end.channel.deadline().has_value());
  (void)end.From(Close{3});
  end.now += Channel::kProbeTime;
  CHECK(end.Sent() == Lines{});
}

TEST_CASE("A legacy peer that left while it was held ends as its last messages say",
          "[channel][legacy]") {
  OpenEnd end(Legacy());
  (void)end.From(DataOf(1, "held "));
  // Its owner reads on once the path has ended.
  (void)end.From(DataOf(2, "too"));
  SECTION("without Close: lost") {
    end.channel.Detach();
    end.channel.GiveUp(ErrorCode::kPathLost, "gone");
    CHECK(end.channel.state() == State::kEnded);
    CHECK_FALSE(end.channel.outcome().clean);
  }
  SECTION("with Close: once all is taken") {
    (void)end.From(Close{3});
    end.channel.Detach();
    end.channel.GiveUp(ErrorCode::kPathLost, "gone");
    CHECK(end.channel.state() == State::kOpen);
    CHECK(end.Take() == "held ,too,|");
    CHECK(end.channel.outcome().clean);
  }
}

}  // namespace
}  // namespace culvert::tunnel::testing
