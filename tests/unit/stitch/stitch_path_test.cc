// StitchPath: Hello, messages, Ping, silence.
#include "tests/unit/stitch/path_fixture.h"

namespace culvert::stitch {
namespace {

using test::SendAll;

TEST_CASE_METHOD(PathFixture, "StitchPath says Hello at once and is up with the peer's",
                 "[stitch_path]") {
  Open();
  CHECK(Until(
      [&] { return Received() == FrameBytes(FrameType::kHello, HelloOf(5).SerializeAsString()); }));
  CHECK_FALSE(end.path->ready());
  CHECK(end.readies == 0);

  SendAll(peer.get(), HelloBytes(7));
  CHECK(Until([&] { return end.readies == 1; }));
  REQUIRE(end.hellos.size() == 1);
  CHECK(end.hellos[0].channel_id() == 7);
  CHECK(end.path->ready());
}

TEST_CASE_METHOD(PathFixture, "StitchPath says an early message with its Hello, and only then",
                 "[stitch_path]") {
  auto [ours, theirs] = test::ConnectedPair();
  peer = std::move(theirs);
  auto stream = net::TcpStream::FromFd(loop, ours.Release());
  REQUIRE(stream.ok());
  end.path = std::make_unique<StitchPath>(loop, *std::move(stream), HelloOf(5), end, end,
                                          StitchPath::Times(), Bytes(std::string("first")));
  const std::string early = FrameBytes(FrameType::kHello, HelloOf(5).SerializeAsString()) +
                            FrameBytes(DataOf(1, "first"));
  CHECK(Until([&] { return Received() == early; }));
  SendAll(peer.get(), HelloBytes(7));
  REQUIRE(Until([&] { return end.readies == 1; }));
  // The channel sends it by itself, and may have other things to say before.
  const tunnel::Ack ack{0, 100};
  end.Send(ack);
  end.Send(DataOf(1, "first"));
  end.Send(DataOf(2, "second"));
  CHECK(Until(
      [&] { return Received() == early + FrameBytes(ack) + FrameBytes(DataOf(2, "second")); }));
}

TEST_CASE_METHOD(PathFixture, "StitchPath may be given more time for the peer's Hello",
                 "[stitch_path]") {
  StitchPath::Times times;
  times.hello = 20ms;
  Open(times);
  end.path->AwaitHello(5s);
  Settle(60ms);
  CHECK(end.ends.empty());
  end.path->AwaitHello(20ms);
  CHECK(Until([&] { return !end.ends.empty(); }));
  CHECK(absl::IsDeadlineExceeded(end.ends.at(0)));
}

TEST_CASE_METHOD(PathFixture, "StitchPath takes a parked connection over, after its token",
                 "[stitch_path]") {
  struct Parked final : net::ByteStream::Delegate {
    void OnBytes(Bytes) override { FAIL("it was not reading"); }
    void OnEnd() override { FAIL("it was not reading"); }
    void OnBroken(absl::Status) override { FAIL("it is handed over"); }
  } parked;
  auto [ours, theirs] = test::ConnectedPair();
  peer = std::move(theirs);
  auto stream = net::TcpStream::FromFd(loop, ours.Release());
  REQUIRE(stream.ok());
  (*stream)->SetDelegate(&parked);
  const std::string token(32, 't');
  (*stream)->Write(Bytes(token), [](const absl::Status&) {});
  SendAll(peer.get(), HelloBytes());  // it waits in the kernel
  SECTION("at once") {}
  SECTION("later") { Settle(); }
  end.path = std::make_unique<StitchPath>(loop, *std::move(stream), HelloOf(5), end, end);
  CHECK(Until([&] { return end.readies == 1; }));
  CHECK(Until([&] {
    return Received() == token + FrameBytes(FrameType::kHello, HelloOf(5).SerializeAsString());
  }));
}

TEST_CASE_METHOD(PathFixture, "StitchPath whose peer's Hello is refused is lost for that reason",
                 "[stitch_path]") {
  Open();
  end.accepts = absl::UnavailableError("another attempt");
  SendAll(peer.get(), HelloBytes() + FrameBytes(tunnel::Close{1}));
  CHECK(Until([&] { return !end.ends.empty(); }));
  CHECK(end.ends == std::vector{absl::UnavailableError("another attempt")});
  CHECK(end.messages.empty());
  CHECK(end.readies == 0);
}

TEST_CASE_METHOD(PathFixture, "StitchPath without the peer's Hello ends with a deadline",
                 "[stitch_path]") {
  StitchPath::Times times;
  times.hello = 20ms;
  Open(times);
  SECTION("nothing came") {}
  SECTION("half of it came") { SendAll(peer.get(), HelloBytes().substr(0, 17)); }
  CHECK(Until([&] { return !end.ends.empty(); }));
  CHECK(absl::IsDeadlineExceeded(end.ends.at(0)));
}

TEST_CASE_METHOD(PathFixture, "StitchPath is lost when the peer breaks the rules of frames",
                 "[stitch_path]") {
  Open();
  end.path->SetReading(true);
  SECTION("a frame before Hello") { SendAll(peer.get(), FrameBytes(FrameType::kPing)); }
  SECTION("a second Hello") { SendAll(peer.get(), HelloBytes() + HelloBytes()); }
  SECTION("a Hello that is no Hello") {
    SendAll(peer.get(), FrameBytes(FrameType::kHello, "\xff"));
  }
  SECTION("an unknown type") {
    SendAll(peer.get(), HelloBytes() + '\x08' + std::string(kHeaderBytes - 1, '\0'));
  }
  CHECK(Until([&] { return !end.ends.empty(); }));
  CHECK(absl::IsDataLoss(end.ends.at(0)));
  CHECK(Until([&] {
    Received();
    return error == ECONNRESET || eof;
  }));
  CHECK_FALSE(eof);  // never a FIN
}

TEST_CASE("StitchPath carries every kind of message, in order", "[stitch_path]") {
  PathPair pair;
  pair.one.Send(tunnel::Data{1, Bytes::Copy("a"), true, false});
  pair.one.Send(tunnel::Ack{4, 1000});
  pair.one.Send(tunnel::Data{2, Bytes(), false, true});
  pair.one.Send(tunnel::Close{3});
  pair.one.Send(tunnel::Error{4, "why", ErrorCode::kReset});
  CHECK(pair.Until([&] { return pair.other.messages.size() == 5; }));
  CHECK(pair.other.messages == std::vector<std::string>{"Data 1 (1 bytes, ack required)",
                                                        "Ack 4 (window 1000)",
                                                        "Data 2 (0 bytes, end of stream)",
                                                        "Close 3", "Error 4 (connection reset)"});
}

TEST_CASE("StitchPath carries messages of all sizes both ways", "[stitch_path]") {
  PathPair pair;
  std::string sent;
  uint64_t id = 0;
  for (const int size : {1, 15, 16, 17, 4096, 65'535, 65'536, 65'652, 262'143, 262'144, 3}) {
    const std::string bytes = test::Pattern(static_cast<size_t>(size));
    sent += bytes;
    ++id;
    REQUIRE(pair.Until([&] { return pair.one.path->ready() && pair.other.path->ready(); }));
    pair.one.Send(DataOf(id, bytes));
    pair.other.Send(DataOf(id, bytes));
  }
  CHECK(pair.Until(
      [&] { return pair.one.bytes.size() + pair.other.bytes.size() == 2 * sent.size(); }));
  CHECK(pair.one.bytes == sent);
  CHECK(pair.other.bytes == sent);
}

TEST_CASE_METHOD(PathFixture, "StitchPath reads frames that come byte by byte", "[stitch_path]") {
  OpenUp();
  for (const char byte : FrameBytes(DataOf(1, "slow")) + FrameBytes(tunnel::Ack{1, 2})) {
    SendAll(peer.get(), {&byte, 1});
    Settle(1ms);
  }
  CHECK(Until([&] { return end.messages.size() == 2; }));
  CHECK(end.bytes == "slow");
}

TEST_CASE_METHOD(PathFixture, "StitchPath may be handed over when Hello comes", "[stitch_path]") {
  PathEnd next;
  Open();
  end.on_hello = [&] {
    end.path->SetDelegate(next);
    end.path->SetReading(true);
    CHECK(end.path->ready());
    end.Send(DataOf(1, "at once"));
  };
  next.hellos.emplace_back();  // which `end` heard
  SendAll(peer.get(), HelloBytes() + FrameBytes(tunnel::Close{1}));
  CHECK(Until([&] { return next.messages.size() == 1; }));
  CHECK(end.messages.empty());
  CHECK(Until([&] { return Received().find("at once") != std::string::npos; }));
}

TEST_CASE_METHOD(PathFixture, "StitchPath answers Ping, also while reading is off",
                 "[stitch_path]") {
  Open();
  SendAll(peer.get(), HelloBytes() + FrameBytes(FrameType::kPing));
  CHECK(Until([&] { return Received().ends_with(FrameBytes(FrameType::kPong)); }));
}

TEST_CASE_METHOD(PathFixture, "StitchPath pings a silent peer and is lost when it stays silent",
                 "[stitch_path]") {
  OpenUp({.hello = 5s, .ping = 20ms, .loss = 50ms, .idle_ping = 40ms, .idle_loss = 5s});
  SECTION("at last") {
    CHECK(Until([&] { return !end.ends.empty(); }));
    CHECK(absl::IsUnavailable(end.ends.at(0)));
    CHECK(Received() == FrameBytes(FrameType::kPing) + FrameBytes(FrameType::kPing));
  }
  SECTION("much later while it is idle") {
    end.path->SetIdle(true);
    CHECK(Until([&] { return Received().size() >= 5 * kHeaderBytes; }));
    CHECK(end.ends.empty());
    end.path->SetIdle(false);
    CHECK(Until([&] { return !end.ends.empty(); }));
  }
}

TEST_CASE_METHOD(PathFixture, "StitchPath asks a silent peer later while it is idle",
                 "[stitch_path]") {
  OpenUp({.hello = 5s, .ping = 10ms, .loss = 30ms, .idle_ping = 5s, .idle_loss = 10s});
  end.path->SetIdle(true);
  loop.RunUntil([] { return false; }, 100ms);
  CHECK(Received().empty());
  CHECK(end.ends.empty());
}

TEST_CASE_METHOD(PathFixture, "StitchPath asks when it is told to, and knows when it was answered",
                 "[stitch_path]") {
  OpenUp();
  Settle();
  const MonotonicTime asked = loop.Now();
  end.path->AskForAnswer();
  CHECK(Until([&] { return Received() == FrameBytes(FrameType::kPing); }));
  CHECK_FALSE(end.path->HeardSince(asked));
  SendAll(peer.get(), FrameBytes(FrameType::kPong));
  CHECK(Until([&] { return end.path->HeardSince(asked); }));
}

TEST_CASE_METHOD(PathFixture, "StitchPath is lost when TCP gets nothing through for long",
                 "[stitch_path][slow]") {
  OpenUp({.look = 100ms, .stall = 200ms});
  test::SetDropping(peer.get(), true);
  const MonotonicTime cut = MonotonicNow();
  end.Send(DataOf(1, "lost"));
  CHECK_FALSE(end.path->IsStalled());
  loop.RunUntil([&] { return !end.ends.empty(); }, 15s);
  REQUIRE(end.ends.size() == 1);
  CHECK(absl::IsUnavailable(end.ends[0]));
  CHECK(MonotonicNow() - cut >= 1s);  // TCP has tried again
  CHECK(end.doubts == 1);             // before that
}

TEST_CASE_METHOD(PathFixture, "StitchPath goes on when TCP gets through after all",
                 "[stitch_path][slow]") {
  OpenUp({.look = 100ms, .stall = 10s});
  test::SetDropping(peer.get(), true);
  end.Send(DataOf(1, "late"));
  loop.RunUntil([&] { return end.path->IsStalled(); }, 15s);
  REQUIRE(end.path->IsStalled());
  test::SetDropping(peer.get(), false);
  loop.RunUntil([&] { return Received() == FrameBytes(DataOf(1, "late")); }, 15s);
  CHECK(Until([&] { return !end.path->IsStalled(); }));
  CHECK(end.ends.empty());
}

TEST_CASE("StitchPath stays up with a silent peer that answers", "[stitch_path]") {
  PathPair pair({.hello = 5s, .ping = 10ms, .loss = 100ms, .idle_loss = 100ms});
  pair.loop.RunUntil([] { return false; }, 400ms);
  CHECK(pair.one.ends.empty());
  CHECK(pair.other.ends.empty());
}

}  // namespace
}  // namespace culvert::stitch
