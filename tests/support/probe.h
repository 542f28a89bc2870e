// An endpoint of the SDK that a test looks at and speaks through.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "culvert/client.h"
#include "culvert/endpoint.h"
#include "culvert/error_code.h"

namespace culvert::test {

// What happened at one endpoint, and what it is to do. Shared by the test thread and the endpoint,
// which lives on the client's loop and may be gone before the probe is.
class Probe : public std::enable_shared_from_this<Probe> {
 public:
  explicit Probe(Client& client) : client_(client) {}

  // --- for the test thread ---

  // Waits until `done` is true of this probe; false after 10 s.
  bool Wait(const std::function<bool(const Probe&)>& done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return done(*this); });
  }
  bool WaitForBytes(const std::string& bytes) {
    return Wait([&](const Probe& probe) { return probe.received == bytes; });
  }
  bool WaitForEnd() {
    return Wait([](const Probe& probe) { return probe.ended; });
  }
  // The status of Close, which must come.
  absl::Status WaitForClose() {
    const bool came = Wait([](const Probe& probe) { return probe.closed.has_value(); });
    return came ? *closed : absl::UnknownError("never closed");
  }

  void Say(std::string text) { Queue(Chunk::Data(Bytes(std::move(text)))); }
  void SayEnd() { Queue(Chunk::EndOfStream()); }
  void SayClose() { Queue(Chunk::Close()); }
  // Answers Recv with an error.
  void FailRecv(const absl::Status& why) { Queue(why); }
  // The endpoint's Break, if it is still there.
  void Break(const absl::Status& why);
  // Answers the Sends that `take` held back.
  void TakeLate() {
    client_.Post([this, self = shared_from_this()] {
      for (auto& taken : std::exchange(not_taken_, {})) std::move(taken)(absl::OkStatus());
    });
  }

  // --- what happened; under the lock of Wait, or once nothing happens any more ---

  std::string received;
  bool opened = false;
  bool ended = false;                  // SendEnd
  std::optional<absl::Status> closed;  // Close
  bool destroyed = false;
  int calls_after_close = 0;

  // --- how it behaves; set before it is used ---

  bool take = true;          // whether Send is answered
  absl::Status send_result;  // with what
  bool echoing = false;      // answers with what it gets, and ends when the other end does

 private:
  template <typename Base>
  friend class ProbeEndpoint;

  void Queue(absl::StatusOr<Chunk> chunk) {
    client_.Post([this, self = shared_from_this(), chunk = std::move(chunk)]() mutable {
      queue_.push_back(std::move(chunk));
      Answer();
    });
  }
  void Note(const std::function<void()>& change) {
    {
      const std::lock_guard lock(mutex_);
      if (closed) ++calls_after_close;
      change();
    }
    changed_.notify_all();
  }
  // Loop thread.
  void Answer() {
    if (!received_ || queue_.empty()) return;
    absl::StatusOr<Chunk> chunk = std::move(queue_.front());
    queue_.pop_front();
    std::exchange(received_, nullptr)(std::move(chunk));
  }

  Client& client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Loop thread.
  std::deque<absl::StatusOr<Chunk>> queue_;
  Endpoint::ReceivedCallback received_;
  std::deque<Endpoint::TakenCallback> not_taken_;
  std::function<void(absl::Status)> break_;
};

// Base is Service or Outlet.
template <typename Base>
class ProbeEndpoint : public Base {
 public:
  explicit ProbeEndpoint(std::shared_ptr<Probe> probe) : probe_(std::move(probe)) {
    probe_->break_ = [this](absl::Status why) { this->Break(std::move(why)); };
  }
  ~ProbeEndpoint() override {
    probe_->break_ = nullptr;
    const std::lock_guard lock(probe_->mutex_);
    probe_->destroyed = true;
    probe_->changed_.notify_all();
  }

  void Send(Bytes bytes, Endpoint::TakenCallback taken) override {
    probe_->Note([&] { probe_->received += bytes.view(); });
    if (probe_->echoing) probe_->queue_.push_back(Chunk::Data(bytes));
    if (probe_->take) {
      std::move(taken)(probe_->send_result);
    } else {
      probe_->not_taken_.push_back(std::move(taken));
    }
    probe_->Answer();
  }
  void SendEnd(Endpoint::TakenCallback taken) override {
    probe_->Note([&] { probe_->ended = true; });
    if (probe_->echoing) probe_->queue_.push_back(Chunk::EndOfStream());
    std::move(taken)(absl::OkStatus());
    probe_->Answer();
  }
  void Recv(Endpoint::ReceivedCallback received) override {
    probe_->received_ = std::move(received);
    probe_->Answer();
  }
  void Close(const absl::Status& why) override {
    probe_->received_ = nullptr;
    probe_->Note([&] { probe_->closed = why; });
  }

 protected:
  void NoteOpened() {
    probe_->Note([&] { probe_->opened = true; });
  }

 private:
  const std::shared_ptr<Probe> probe_;
};

class ProbeOutlet final : public ProbeEndpoint<Outlet> {
 public:
  using ProbeEndpoint::ProbeEndpoint;
  void Opened() override { NoteOpened(); }
};

class ProbeService final : public ProbeEndpoint<Service> {
 public:
  ProbeService(std::shared_ptr<Probe> probe, absl::Status start_result)
      : ProbeEndpoint(std::move(probe)), start_result_(std::move(start_result)) {}
  void Start(TakenCallback started) override { std::move(started)(start_result_); }

 private:
  const absl::Status start_result_;
};

inline void Probe::Break(const absl::Status& why) {
  client_.Post([this, self = shared_from_this(), why] {
    if (break_) break_(why);
  });
}

}  // namespace culvert::test
