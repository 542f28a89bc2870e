// A StitchPath and, as its peer, a plain socket or another path.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stitch/frame_message.h"
#include "stitch/stitch_path.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert::stitch {

using namespace std::chrono_literals;

inline std::string FrameBytes(FrameType type, std::string_view body = {}) {
  std::vector<Bytes> parts;
  AppendFrame(type, body, &parts);
  return std::string(parts[0].view());
}

inline std::string FrameBytes(const tunnel::Message& message) {
  std::vector<Bytes> parts;
  AppendFrame(message, &parts);
  std::string bytes;
  for (const Bytes& part : parts) bytes += part.view();
  return bytes;
}

inline tunnel::Data DataOf(uint64_t id, std::string bytes) {
  return {id, Bytes(std::move(bytes)), false, false};
}

inline v1::StitchHello HelloOf(uint64_t channel_id) {
  v1::StitchHello hello;
  hello.set_channel_id(channel_id);
  hello.set_attempt(1);
  return hello;
}

inline std::string HelloBytes(uint64_t channel_id = 7) {
  return FrameBytes(FrameType::kHello, HelloOf(channel_id).SerializeAsString());
}

// One path and what it reports; hooks run after that and may destroy the path.
struct PathEnd final : tunnel::Path::Delegate, StitchPath::HelloListener {
  std::vector<v1::StitchHello> hellos;
  std::vector<std::string> messages;  // DebugString
  std::string bytes;                  // of Data
  int readies = 0;
  int doubts = 0;
  std::vector<absl::Status> ends;
  absl::Status accepts;
  std::function<void()> on_hello;
  std::function<void()> on_message;
  std::function<void()> on_ready;
  std::function<void()> on_end;
  int calls = 0;  // of this on the path, which must not call back
  std::unique_ptr<StitchPath> path;

  void Open(net::EventLoop& loop, int fd, const StitchPath::Times& times = {}) {
    auto stream = net::TcpStream::FromFd(loop, fd);
    REQUIRE(stream.ok());
    Call([&] {
      path =
          std::make_unique<StitchPath>(loop, *std::move(stream), HelloOf(5), *this, *this, times);
    });
  }
  template <typename Function>
  void Call(Function function) {
    ++calls;
    function();
    --calls;
  }
  void Send(const tunnel::Message& message) {
    Call([&] { path->Send(message); });
  }

  absl::Status OnHello(const v1::StitchHello& hello) override {
    Heard();
    CHECK(messages.empty());
    hellos.push_back(hello);
    const absl::Status answer = accepts;
    if (on_hello) on_hello();
    return answer;
  }
  void OnPathMessage(tunnel::Message message) override {
    Heard();
    CHECK(hellos.size() == 1);
    messages.push_back(tunnel::DebugString(message));
    if (const auto* data = std::get_if<tunnel::Data>(&message)) bytes += data->bytes.view();
    if (on_message) on_message();
  }
  void OnPathReady() override {
    Heard();
    if (path != nullptr) CHECK(path->ready());  // it was not handed over
    ++readies;
    if (on_ready) on_ready();
  }
  void OnPathDoubtful() override {
    Heard();
    ++doubts;
  }
  void OnPathEnd(absl::Status why) override {
    Heard();
    ends.push_back(std::move(why));
    if (on_end) on_end();
  }

 private:
  void Heard() {
    CHECK(calls == 0);
    CHECK(ends.empty());
  }
};

// A path whose peer is a socket.
struct PathFixture {
  net::EventLoop loop;
  test::Fd peer;
  PathEnd end;

  void Open(const StitchPath::Times& times = {}) {
    auto [ours, theirs] = test::ConnectedPair();
    peer = std::move(theirs);
    end.Open(loop, ours.Release(), times);
  }
  void OpenUp(const StitchPath::Times& times = {}) {
    Open(times);
    end.path->SetReading(true);
    test::SendAll(peer.get(), HelloBytes());
    REQUIRE(Until([&] { return end.readies == 1; }));
    CHECK(Until([&] { return Received().size() >= kHeaderBytes; }));
    received.clear();
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
  // Lets everything happen that happens without further cause.
  void Settle(Duration time = 30ms) {
    loop.RunUntil([] { return false; }, time);
  }
  // All that the peer has been sent.
  const std::string& Received() {
    test::PeerRead read = test::ReadNow(peer.get());
    received += read.bytes;
    if (read.error != 0) error = read.error;
    eof = eof || (read.eof && error == 0);  // a reset is told once, then it looks like an end
    return received;
  }

  std::string received;
  bool eof = false;
  int error = 0;
};

// Two paths.
struct PathPair {
  net::EventLoop loop;
  PathEnd one;
  PathEnd other;

  explicit PathPair(const StitchPath::Times& times = {}) {
    auto [ours, theirs] = test::ConnectedPair();
    one.Open(loop, ours.Release(), times);
    other.Open(loop, theirs.Release(), times);
    one.path->SetReading(true);
    other.path->SetReading(true);
    REQUIRE(Until([&] { return one.readies + other.readies == 2; }));
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
};

}  // namespace culvert::stitch
