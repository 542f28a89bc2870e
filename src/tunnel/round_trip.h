// How long a message and its acknowledgement take on the path of a channel.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace culvert::tunnel {

// Measures one message at a time, at most one in kInterval. The peer acknowledges when its local
// side took the message: the smallest of the measurements is the path's.
class RoundTrip {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(1);

  // Message `id` goes out. True if its Ack should not be held back, because it is measured. The
  // first of a path is measured as it comes: a short channel needs no Acks for that.
  bool OnSent(uint64_t id, MonotonicTime now) {
    if (id_ != 0 || (began_ && now - *began_ < kInterval)) return false;
    const bool ask = began_.has_value();
    id_ = id;
    began_ = now;
    return ask;
  }
  void OnAcked(uint64_t id, MonotonicTime now) {
    if (id_ == 0 || id < id_) return;
    smallest_ = std::min(smallest_.value_or(now - *began_), now - *began_);
    id_ = 0;
  }
  // A new path has another one.
  void Reset() { *this = RoundTrip(); }

  std::optional<Duration> smallest() const { return smallest_; }

 private:
  uint64_t id_ = 0;  // that is measured; ids begin with 1
  std::optional<MonotonicTime> began_;
  std::optional<Duration> smallest_;
};

}  // namespace culvert::tunnel
