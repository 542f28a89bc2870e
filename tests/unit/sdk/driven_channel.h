// A ChannelDriver whose paths and endpoint are the test.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "culvert/error_code.h"
#include "net/event_loop.h"
#include "sdk/channel_driver.h"
#include "tests/support/catch.h"
#include "tunnel/memory_budget.h"

namespace culvert::test {

inline constexpr uint64_t kLegacy = 0;

// What a driver does with its path.
struct PathLog {
  std::vector<tunnel::Message> sent;
  bool ready = true;
  int asked = 0;  // how often whether it is ready
  int finished = 0;
  size_t best_payload = tunnel::kMaxDataBytes;
  bool destroyed = false;
  bool idle = false;
  bool stalled = false;
  bool answers = true;  // when it is asked
  int questions = 0;
  MonotonicTime heard{};
};

class FakePath final : public tunnel::Path {
 public:
  explicit FakePath(PathLog& log) : log_(log) {}
  ~FakePath() override { log_.destroyed = true; }
  bool ready() const override {
    ++log_.asked;
    return log_.ready;
  }
  void Send(const tunnel::Message& message) override { log_.sent.push_back(message); }
  size_t best_payload() const override { return log_.best_payload; }
  void SetReading(bool) override {}
  void SetIdle(bool idle) override { log_.idle = idle; }
  bool HeardSince(MonotonicTime then) const override { return log_.heard >= then; }
  bool IsStalled() const override { return log_.stalled; }
  void AskForAnswer() override {
    ++log_.questions;
    if (log_.answers) log_.heard = MonotonicNow() + std::chrono::milliseconds(1);
  }
  void Finish() override { ++log_.finished; }

 private:
  PathLog& log_;
};

// What happens at an endpoint, and what it says.
struct EndpointLog {
  std::deque<Chunk> chunks;  // its answers, given as soon as they are asked for
  int closes = 0;
  std::optional<absl::Status> closed;
  int asked = 0;
  size_t chunk_size = 0;  // as it was told last
  absl::AnyInvocable<void()> finish;
  absl::AnyInvocable<void(Chunk)> answer;  // to the outstanding question
};

class FakeEndpoint final : public Outlet {
 public:
  explicit FakeEndpoint(EndpointLog& log) : log_(log) {
    log_.finish = [this] { Finish(); };
    log_.answer = [this](Chunk chunk) { std::exchange(received_, nullptr)(std::move(chunk)); };
  }
  void Send(Bytes, TakenCallback taken) override { std::move(taken)(absl::OkStatus()); }
  void Recv(ReceivedCallback received) override {
    ++log_.asked;
    if (log_.chunks.empty()) {
      received_ = std::move(received);
      return;
    }
    Chunk chunk = std::move(log_.chunks.front());
    log_.chunks.pop_front();
    std::move(received)(std::move(chunk));
  }
  void SetChunkSize(size_t bytes) override { log_.chunk_size = bytes; }
  void Close(const absl::Status& why) override {
    ++log_.closes;
    log_.closed = why;
    if (received_) std::move(received_)(absl::AbortedError("closed"));
  }

 private:
  EndpointLog& log_;
  ReceivedCallback received_;
};

// The owner gives lost channels up unless the test wants to hear of them.
class Driven final : private ChannelDriver::Owner {
 public:
  explicit Driven(uint64_t peer_capabilities = tunnel::kOwnCapabilities,
                  Duration linger_time = std::chrono::seconds(10)) {
    tunnel::Channel::Options options;
    options.peer_capabilities = peer_capabilities;
    options.peer_window = 1024;
    driver.emplace(loop, options, shares, std::make_unique<FakeEndpoint>(endpoint),
                   static_cast<ChannelDriver::Owner&>(*this), linger_time);
  }
  void Start(uint64_t peer_window = 1024) {
    driver->Start(std::make_unique<FakePath>(path), peer_window);
  }
  tunnel::Path::Delegate& From() { return driver->path_delegate(); }
  template <typename Kind>
  const Kind* Sent(size_t index) const {
    return index < path.sent.size() ? std::get_if<Kind>(&path.sent[index]) : nullptr;
  }

  net::EventLoop loop;
  ChannelShares shares{tunnel::MemoryBudget(1 << 20)};
  PathLog path;
  EndpointLog endpoint;
  int ended = 0;
  int done = 0;
  std::vector<absl::Status> lost;
  int doubts = 0;
  bool resumes = false;  // it is the test that resumes or gives up
  std::optional<ChannelDriver> driver;

 private:
  void OnChannelEnded(ChannelDriver&) override { ++ended; }
  void OnDriverDone(ChannelDriver&) override {
    CHECK(ended == 1);
    ++done;
  }
  void OnPathDoubtful(ChannelDriver&) override { ++doubts; }
  void OnPathLost(ChannelDriver& lost_driver, const absl::Status& why) override {
    lost.push_back(why);
    if (!resumes) lost_driver.GiveUp(ErrorCode::kPathLost, std::string(MessageOf(why)));
  }
};

}  // namespace culvert::test
