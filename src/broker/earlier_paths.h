// What channels that are without a path have carried so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/clock.h"

namespace culvert::broker {

// By a channel's paths at this broker process, all of them together.
struct CarriedBytes {
  uint64_t sent = 0;  // by the consumer
  uint64_t received = 0;
  MonotonicTime since{};  // the first path's beginning
};

// Kept until the channel has another path, or cannot get one any more. Who is nearest to that goes
// first where there are too many. Confined to the control loop.
class EarlierPaths {
 public:
  static constexpr size_t kMost = 16'384;

  // The channel's path is lost; for `time` it may get another.
  void Keep(uint64_t channel_id, const CarriedBytes& carried, Duration time, MonotonicTime now);
  // It has got one. None: nothing is known of earlier ones.
  std::optional<CarriedBytes> Take(uint64_t channel_id, MonotonicTime now);
  void Forget(uint64_t channel_id);
  size_t size() const { return channels_.size(); }

 private:
  struct Channel {
    CarriedBytes carried;
    MonotonicTime until;
  };
  void Expire(MonotonicTime now);

  std::unordered_map<uint64_t, Channel> channels_;
  std::set<std::pair<MonotonicTime, uint64_t>> until_;
};

}  // namespace culvert::broker
