// A bounded number of lines a second of a kind that peers can cause at will.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace culvert::broker {

// One kind. Confined to the control loop.
class LogThrottle {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(1);

  explicit LogThrottle(uint64_t lines_per_interval = 1) : most_(lines_per_interval) {}

  // Logs `line` with the number of those that were left out before it, or leaves it out.
  void Log(LogLevel level, MonotonicTime now, std::string_view line) {
    if (!LogEnabled(level)) return;
    const std::optional<uint64_t> left_out = Pass(now);
    if (!left_out) return;
    culvert::Log(level, *left_out == 0 ? fmt::format("{}", line)
                                       : fmt::format("{} ({} more not logged)", line, *left_out));
  }

  // How many were left out since the last line; nothing if it is too early for the next one.
  std::optional<uint64_t> Pass(MonotonicTime now) {
    if (!began_ || now - *began_ >= kInterval) {
      began_ = now;
      lines_ = 0;
    }
    if (lines_ >= most_) {
      ++left_out_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  const uint64_t most_;
  std::optional<MonotonicTime> began_;  // the interval
  uint64_t lines_ = 0;                  // in it
  uint64_t left_out_ = 0;
};

}  // namespace culvert::broker
