// StitchPath: what is gathered, what holds back whom, and what a peer can make it keep.
#include <sys/socket.h>

#include "net/read_buffers.h"
#include "tests/unit/stitch/path_fixture.h"

namespace culvert::stitch {
namespace {

using test::SendAll;

// Sends as long as the path takes it, for `time`; the bytes it took.
size_t SendUntilFull(PathFixture& fixture, size_t size, Duration time = 100ms) {
  size_t sent = 0;
  uint64_t id = 0;
  const Bytes bytes(std::string(size, 'f'));
  const auto fill = [&] {
    while (fixture.end.path->ready()) {
      fixture.end.Send(tunnel::Data{++id, bytes, false, false});
      sent += size;
    }
  };
  fixture.end.on_ready = fill;
  fill();
  fixture.Settle(time);
  return sent;
}

TEST_CASE_METHOD(PathFixture, "StitchPath holds a sender whose peer does not read",
                 "[stitch_path]") {
  OpenUp();
  constexpr size_t kSize = 64 * 1024;
  auto owner = std::make_shared<int>(0);
  const std::string content(kSize, 'f');
  int sent = 0;
  const auto fill = [&] {
    while (end.path->ready()) {
      end.Send(tunnel::Data{1, Bytes(std::shared_ptr<const void>(owner), content), false, false});
      ++sent;
    }
  };
  end.on_ready = fill;
  fill();
  Settle(200ms);
  const int before = sent;
  Settle(100ms);
  CHECK(sent == before);
  CHECK_FALSE(end.path->ready());
  // What the kernel did not take is all that the path holds.
  const auto held = static_cast<size_t>(owner.use_count() - 1) * kSize;
  CHECK(held <= StitchPath::kMostUnwritten + kSize);

  CHECK(Until([&] {
    Received();
    return sent > before;
  }));
}

TEST_CASE_METHOD(PathFixture, "StitchPath reads nothing more while a message waits to be given out",
                 "[stitch_path]") {
  OpenUp();
  end.path->SetReading(false);
  const std::string message = FrameBytes(DataOf(1, test::Pattern(kMostBodyBytes)));
  size_t taken = 0;
  size_t before = 0;
  do {
    before = taken;
    taken += test::SendSome(peer.get(), message);
    Settle(50ms);
    taken += test::SendSome(peer.get(), message);
    REQUIRE(taken < size_t{64} * 1024 * 1024);
  } while (taken > before);
  CHECK(end.messages.empty());
  CHECK(end.ends.empty());
}

TEST_CASE_METHOD(PathFixture, "StitchPath gives out what waited, in order and not inside the call",
                 "[stitch_path]") {
  Open();
  SendAll(peer.get(), HelloBytes() + FrameBytes(DataOf(1, "a")) + FrameBytes(DataOf(2, "b")));
  REQUIRE(Until([&] { return end.readies == 1; }));
  Settle();
  CHECK(end.messages.empty());
  end.Call([&] { end.path->SetReading(true); });
  CHECK(Until([&] { return end.bytes == "ab"; }));
  SendAll(peer.get(), FrameBytes(DataOf(3, "c")));
  CHECK(Until([&] { return end.bytes == "abc"; }));
}

TEST_CASE_METHOD(PathFixture, "StitchPath stops giving out when reading is switched off in between",
                 "[stitch_path]") {
  OpenUp();
  end.on_message = [&] { end.path->SetReading(false); };
  SendAll(peer.get(), FrameBytes(DataOf(1, "a")) + FrameBytes(DataOf(2, "b")));
  CHECK(Until([&] { return end.bytes == "a"; }));
  Settle();
  CHECK(end.bytes == "a");
}

TEST_CASE_METHOD(PathFixture, "StitchPath sends the first Data at once and gathers what follows",
                 "[stitch_path]") {
  OpenUp();
  end.Send(tunnel::Ack{1, 1});
  CHECK(Received().empty());
  end.Send(DataOf(1, "first"));
  CHECK(Received() == FrameBytes(tunnel::Ack{1, 1}) + FrameBytes(DataOf(1, "first")));
  received.clear();
  end.Send(DataOf(2, "second"));
  end.Send(tunnel::Ack{2, 1});
  CHECK(Received().empty());
  CHECK(Until([&] {
    return Received() == FrameBytes(DataOf(2, "second")) + FrameBytes(tunnel::Ack{2, 1});
  }));
}

TEST_CASE_METHOD(PathFixture, "StitchPath keeps one Pong at most for a peer that floods it",
                 "[stitch_path]") {
  OpenUp();
  SendUntilFull(*this, kMostBodyBytes);
  end.on_ready = nullptr;
  std::string pings;
  for (int i = 0; i < 5000; ++i) pings += FrameBytes(FrameType::kPing);
  for (int i = 0; i < 20; ++i) {
    test::SendSome(peer.get(), pings);
    Settle(5ms);
  }
  size_t pongs = 0;
  const std::string pong = FrameBytes(FrameType::kPong);
  REQUIRE(Until([&] { return Received().ends_with(pong); }));
  Settle();
  Received();
  for (size_t at = received.size(); at >= pong.size() && received.substr(at - 16, 16) == pong;
       at -= 16)
    ++pongs;
  CHECK(pongs >= 1);
  CHECK(pongs <= 3);
  CHECK(end.ends.empty());
}

TEST_CASE_METHOD(PathFixture, "StitchPath that holds a message does not take that for silence",
                 "[stitch_path]") {
  OpenUp({.hello = 5s, .ping = 10ms, .loss = 30ms, .idle_loss = 30ms});
  end.path->SetReading(false);
  SendAll(peer.get(), FrameBytes(DataOf(1, "held")));
  Settle(150ms);
  CHECK(end.ends.empty());
  end.path->SetReading(true);
  CHECK(Until([&] { return end.bytes == "held"; }));
  CHECK(Until([&] { return !end.ends.empty(); }));
}

// A delegate that keeps what it is given.
struct Keeper final : tunnel::Path::Delegate {
  std::vector<tunnel::Message> kept;
  void OnPathMessage(tunnel::Message message) override { kept.push_back(std::move(message)); }
  void OnPathReady() override {}
  void OnPathEnd(absl::Status) override {}
};

TEST_CASE("StitchPath holds no large buffer for a message that fills a quarter of it",
          "[stitch_path]") {
  net::EventLoop loop;
  int fds[2];
  // What is sent at once over one of these is read at once.
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  const test::Fd peer(fds[1]);
  const int room = 1 << 20;
  setsockopt(peer.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  auto stream = net::TcpStream::FromUnixFd(loop, fds[0], "peer");
  REQUIRE(stream.ok());
  Keeper keeper;
  PathEnd end;
  end.path = std::make_unique<StitchPath>(loop, *std::move(stream), HelloOf(5), end, end);
  end.path->SetDelegate(keeper);
  end.path->SetReading(true);
  constexpr size_t kBuffer = net::ByteStream::kMostReadSize;
  std::string bytes = HelloBytes() + FrameBytes(DataOf(1, test::Pattern(kBuffer / 4 + 1000)));
  while (bytes.size() < kBuffer / 2) bytes += FrameBytes(FrameType::kPing);
  SendAll(peer.get(), bytes);
  CHECK(loop.RunUntil([&] { return keeper.kept.size() == 1 && loop.read_buffers().idle() == 1; },
                      1s));
  CHECK(std::get<tunnel::Data>(keeper.kept.at(0)).bytes.size() == kBuffer / 4 + 1000);
}

}  // namespace
}  // namespace culvert::stitch
