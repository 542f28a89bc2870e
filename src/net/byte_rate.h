// A limit of bytes a second that many senders, on several threads, have together.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace culvert::net {

// A token bucket in front of which senders queue. Who wants to send claims bytes, and may send them
// when all that was claimed before is paid for. Each sender has one claim at a time, so the queue
// gives a turn to each; and nobody has to be woken: who waits asks again after the time that it is
// told. What a claim is too large for, the next ones wait for. Any thread. Without a limit nothing
// is locked or counted.
class ByteRate {
 public:
  // What is not used is saved up for so long.
  static constexpr Duration kSaved = std::chrono::milliseconds(250);
  // The limit may be another one after that.
  static constexpr Duration kMostWait = std::chrono::milliseconds(200);
  // Turns are the smallest where the queue is as long. The ends of a path wait 20 s for a sign of
  // life.
  static constexpr Duration kLongQueue = std::chrono::milliseconds(2500);
  static constexpr size_t kLeastTurn = 256;

  // 0: no limit.
  explicit ByteRate(uint64_t per_second = 0)
      : per_second_(static_cast<double>(per_second)),
        limited_(per_second > 0),
        turn_(FullTurn(per_second_)) {}
  ByteRate(const ByteRate&) = delete;
  ByteRate& operator=(const ByteRate&) = delete;

  bool is_limited() const { return limited_.load(std::memory_order_relaxed); }
  // What is to be claimed at once by who has as much: so each sender's turn is as long. The longer
  // the queue, the smaller it is: a queue of such claims is never longer than kLongQueue and
  // kLeastTurn for each sender.
  size_t turn() const { return turn_.load(std::memory_order_relaxed); }
  // What waits goes on at the new rate.
  void SetLimit(uint64_t per_second, MonotonicTime now);

  // Where a claim is in the queue: so many bytes were claimed before it.
  using Place = double;
  Place Claim(uint64_t bytes, MonotonicTime now);
  // 0: it may be sent. Otherwise ask again after that.
  Duration WaitFor(Place place, MonotonicTime now);
  // So many of what was claimed will not be sent: those who wait have them.
  void GiveBack(uint64_t bytes);

  // In the last whole second of use, about; 0 without a limit.
  uint64_t Recent(MonotonicTime now);

 private:
  // Of a queue that is empty.
  static constexpr double kLeastFullTurn = 16 * 1024;
  static constexpr double kMostFullTurn = 64 * 1024;
  static size_t FullTurn(double per_second) {
    return static_cast<size_t>(std::clamp(per_second / 8, kLeastFullTurn, kMostFullTurn));
  }
  void SetTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fill(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Turn(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  double per_second_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> limited_;
  std::atomic<size_t> turn_;
  // Bytes since the beginning.
  double claimed_ ABSL_GUARDED_BY(mutex_) = 0;
  double paid_ ABSL_GUARDED_BY(mutex_) = 0;  // at most what is claimed, and what is saved
  MonotonicTime filled_ ABSL_GUARDED_BY(mutex_){};
  // For Recent: of this second, and the rate of the last one.
  double now_claimed_ ABSL_GUARDED_BY(mutex_) = 0;
  double last_rate_ ABSL_GUARDED_BY(mutex_) = 0;
  MonotonicTime second_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace culvert::net
