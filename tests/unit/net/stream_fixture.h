// A TcpStream and, as its peer, a plain socket.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/tcp_stream.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert::net {

using namespace std::chrono_literals;

// Writes down what a stream reports; a hook runs after that and may destroy the stream.
class RecordingDelegate final : public ByteStream::Delegate {
 public:
  std::string bytes;
  size_t largest = 0;
  int reads = 0;
  int ends = 0;
  int breaks = 0;
  absl::Status why;
  std::function<void()> on_bytes;
  std::function<void()> on_end;
  std::function<void()> on_broken;

  void OnBytes(Bytes chunk) override {
    CHECK(breaks == 0);
    CHECK(ends == 0);
    bytes += chunk.view();
    largest = std::max(largest, chunk.size());
    ++reads;
    if (on_bytes) on_bytes();
  }
  void OnEnd() override {
    CHECK(breaks == 0);
    ++ends;
    if (on_end) on_end();
  }
  void OnBroken(absl::Status status) override {
    ++breaks;
    why = status;
    if (on_broken) on_broken();
  }
};

struct StreamFixture {
  EventLoop loop;
  test::Fd peer;
  RecordingDelegate seen;
  int filled = 0;  // writes of FillOutput that completed
  std::unique_ptr<TcpStream> stream;

  StreamFixture() {
    auto [ours, theirs] = test::ConnectedPair();
    peer = std::move(theirs);
    auto adopted = TcpStream::FromFd(loop, ours.Release());
    REQUIRE(adopted.ok());
    stream = *std::move(adopted);
    stream->SetDelegate(&seen);
  }

  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }

  // Lets everything happen that happens without further cause. Returns the number of turns.
  int Settle(Duration time = 30ms) {
    int turns = 0;
    loop.RunUntil([&turns] { return ++turns < 0; }, time);
    return turns;
  }

  // Writes until the kernel takes no more: the completion of the last write is then open.
  void FillOutput() {
    while (true) {
      const int before = filled;
      stream->Write(Bytes(std::string(256 * 1024, 'f')),
                    [this](absl::Status status) { filled += status.ok() ? 1 : 0; });
      if (!loop.RunUntil([&] { return filled > before; }, 50ms)) return;
    }
  }
};

// More turns than this in a Settle() mean that the loop spins: the tick of RunUntil gives 6.
constexpr int kManyTurns = 40;

}  // namespace culvert::net
