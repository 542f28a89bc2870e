// Time as Culvert uses it: a monotonic clock for time-outs and tokens, the wall clock only for what
// other machines must agree on (certificates, tickets).
#pragma once

#include <chrono>

namespace culvert {

using Duration = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;

inline MonotonicTime MonotonicNow() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

inline double ToSeconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace culvert
