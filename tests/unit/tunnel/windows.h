// What the tests of send and receive windows share.
#pragma once

#include <cstdint>

#include "tests/unit/tunnel/one_end.h"
#include "tunnel/send_window.h"

namespace culvert::tunnel::testing {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
// The share of a window in a process that has plenty of memory.
inline constexpr uint64_t kNoShare = uint64_t{1} << 40;
inline constexpr uint64_t kGrant = 10'000;

inline Lines TakeAll(SendWindow& window) {
  Lines lines;
  while (window.HasNext()) lines.push_back(DebugString(window.TakeNext()));
  return lines;
}

}  // namespace culvert::tunnel::testing
