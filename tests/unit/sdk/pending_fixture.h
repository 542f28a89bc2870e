// A PendingStitch whose other end is a socket of the test's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sdk/pending_stitch.h"
#include "stitch/frame_message.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert {

using namespace std::chrono_literals;
using culvert::v1::StitchHello;
using stitch::FrameType;
using stitch::HelloRole;

inline std::string FrameBytes(FrameType type, const std::string& body) {
  std::vector<Bytes> parts;
  AppendFrame(type, body, &parts);
  return std::string(parts[0].view());
}

inline StitchHello HelloOf(uint64_t channel_id, uint32_t attempt = 1) {
  StitchHello hello;
  hello.set_channel_id(channel_id);
  hello.set_attempt(attempt);
  hello.set_last_message_id(11);
  hello.set_window(65'536);
  hello.set_resume_timeout_s(60);
  return hello;
}

struct PendingFixture {
  net::EventLoop loop;
  test::Fd peer;
  stitch::HelloKey key;
  std::optional<PendingStitch> pending;
  std::vector<absl::StatusOr<PendingStitch::Joined>> done;
  std::function<void()> on_done;

  PendingFixture() { key.data()[0] = 1; }
  PendingStitch::Meeting Meeting() const {
    PendingStitch::Meeting meeting;
    meeting.channel_id = 7;
    meeting.attempt = 1;
    meeting.last_id = 3;
    meeting.window = 1'000;
    return meeting;
  }
  void Open(const PendingStitch::Meeting& meeting, Duration limit = 5s) {
    auto [ours, theirs] = test::ConnectedPair();
    peer = std::move(theirs);
    auto stream = net::TcpStream::FromFd(loop, ours.Release());
    REQUIRE(stream.ok());
    pending.emplace(loop, *std::move(stream), meeting, limit,
                    [this](absl::StatusOr<PendingStitch::Joined> joined) {
                      done.push_back(std::move(joined));
                      if (on_done) on_done();
                    });
  }
  void Say(const StitchHello& hello) {
    test::SendAll(peer.get(), FrameBytes(FrameType::kHello, hello.SerializeAsString()));
  }
  void SayAs(HelloRole role, StitchHello hello, const stitch::HelloKey& with) {
    hello.set_mac(HelloMac(with, role, hello));
    Say(hello);
  }
  bool Done() {
    return loop.RunUntil([this] { return !done.empty(); }, 5s);
  }
  void Settle() {
    loop.RunUntil([] { return false; }, 20ms);
  }
  // Ended so, once, and the peer's connection with it.
  void CheckRefused(absl::StatusCode code) {
    REQUIRE(Done());
    REQUIRE_FALSE(done[0].ok());
    CHECK(done[0].status().code() == code);
    test::PeerRead read;
    CHECK(loop.RunUntil(
        [&] {
          read = test::ReadNow(peer.get());
          return read.error != 0 || read.eof;
        },
        5s));
    Settle();
    CHECK(done.size() == 1);
  }
};

}  // namespace culvert
