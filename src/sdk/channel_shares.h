// What the channels of a process share: its memory, and the turns of its loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "tunnel/memory_budget.h"

namespace culvert {

// How many channels move much just now: each of several takes less at a time, so that a byte of
// another one's is not long in coming. Confined to one loop.
class BusyChannels {
 public:
  // A channel that sent this much in one message counts as busy until the end of the next span.
  static constexpr size_t kMuch = size_t{32} * 1024;
  static constexpr Duration kSpan = std::chrono::milliseconds(20);
  // What all busy ones take in a turn of the loop, as long as each has its least.
  static constexpr size_t kTurn = size_t{640} * 1024;
  static constexpr size_t kLeast = size_t{64} * 1024;
  // From so many on a turn is long whatever each of them takes, and the number of messages is what
  // costs: each takes more than half of a read buffer, so that it is not copied
  // (docs/benchmarks.md).
  static constexpr size_t kMany = 16;
  static constexpr size_t kOfMany = size_t{144} * 1024;

  // Each channel has one.
  class Mark {
    friend class BusyChannels;
    int64_t span_ = -1;  // when it was last counted
  };

  void OnSent(Mark& mark, size_t bytes, MonotonicTime now) {
    if (bytes < kMuch) return;
    const int64_t span = SpanOf(now);
    if (span != span_) {
      before_ = CountIn(span - 1);
      count_ = 0;
      span_ = span;
    }
    if (mark.span_ == span) return;
    mark.span_ = span;
    ++count_;
  }

  // Most that one message should carry: whole TLS records.
  size_t MostPayload(MonotonicTime now) const {
    constexpr size_t kRecord = size_t{16} * 1024;
    const int64_t span = SpanOf(now);
    const size_t before = span == span_ ? before_ : CountIn(span - 1);
    const size_t busy = std::max({CountIn(span), before, size_t{1}});
    if (busy >= kMany) return kOfMany;
    return std::max(kLeast, kTurn / busy / kRecord * kRecord);
  }

 private:
  static int64_t SpanOf(MonotonicTime now) { return now.time_since_epoch() / kSpan; }
  size_t CountIn(int64_t span) const { return span == span_ ? count_ : 0; }

  int64_t span_ = 0;
  size_t count_ = 0;   // in `span_`
  size_t before_ = 0;  // in the one before
};

struct ChannelShares {
  tunnel::MemoryBudget budget;
  BusyChannels busy = {};
};

}  // namespace culvert
