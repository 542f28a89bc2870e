#include "config/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "base/status.h"

namespace culvert::config {
namespace {

struct Unit {
  std::string_view suffix;
  uint64_t factor;
};

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMillisecond;
// Largest first: formatting takes the first that divides.
constexpr std::array kDurationUnits = {Unit{"h", 3600 * kSecond}, Unit{"m", 60 * kSecond},
                                       Unit{"s", kSecond}, Unit{"", kSecond},
                                       Unit{"ms", kMillisecond}};
constexpr uint64_t kMaxDuration = uint64_t{365} * 24 * 3600 * kSecond;

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kGiB = 1024 * kMiB;
constexpr std::array kSizeUnits = {Unit{"GiB", kGiB}, Unit{"G", kGiB},   Unit{"MiB", kMiB},
                                   Unit{"M", kMiB},   Unit{"KiB", kKiB}, Unit{"K", kKiB},
                                   Unit{"", 1}};
constexpr uint64_t kMinSize = kMiB;
constexpr uint64_t kMaxSize = 1024 * kGiB;
constexpr uint64_t kMinRate = 64 * kKiB;

// The number times its unit, or nothing where `text` is neither or the product exceeds `max`.
template <size_t kCount>
std::optional<uint64_t> Scaled(std::string_view text, const std::array<Unit, kCount>& units,
                               uint64_t max) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const absl::StatusOr<uint64_t> number = ParseDecimal(text.substr(0, digits));
  if (!number.ok()) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.suffix != text.substr(digits)) continue;
    if (*number > max / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

template <size_t kCount>
std::string Formatted(uint64_t value, const std::array<Unit, kCount>& units) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.suffix);
  }
  return fmt::format("{}", value);
}

absl::StatusOr<uint32_t> ParseLimitFrom(std::string_view text, uint32_t min) {
  constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
  const absl::StatusOr<uint64_t> number = ParseDecimal(text);
  if (!number.ok() || *number < min || *number > kMax) {
    return absl::InvalidArgumentError(fmt::format("expected a number from {} to {}", min, kMax));
  }
  return static_cast<uint32_t>(*number);
}

}  // namespace

absl::StatusOr<uint64_t> ParseDecimal(std::string_view text) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (error != std::errc() || stopped != end || leading_zero) {
    return absl::InvalidArgumentError("expected a number without sign and leading zeros");
  }
  return number;
}

absl::StatusOr<uint32_t> ParseLimit(std::string_view text) { return ParseLimitFrom(text, 1); }

absl::StatusOr<uint32_t> ParseLimitOrZero(std::string_view text) { return ParseLimitFrom(text, 0); }

absl::StatusOr<Duration> ParseDuration(std::string_view text) {
  const std::optional<uint64_t> nanoseconds = Scaled(text, kDurationUnits, kMaxDuration);
  if (!nanoseconds) {
    return absl::InvalidArgumentError(
        "expected a duration such as 30s, 500ms, 2m, 1h or a number of seconds, at most 8760h");
  }
  return Duration(*nanoseconds);
}

absl::StatusOr<Duration> ParsePositiveDuration(std::string_view text) {
  CULVERT_ASSIGN_OR_RETURN(const Duration duration, ParseDuration(text));
  if (duration == Duration::zero()) return absl::InvalidArgumentError("expected more than 0");
  return duration;
}

std::string FormatDuration(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  return Formatted(static_cast<uint64_t>(duration.count()), kDurationUnits);
}

absl::StatusOr<uint64_t> ParseMemorySize(std::string_view text) {
  const std::optional<uint64_t> bytes = Scaled(text, kSizeUnits, kMaxSize);
  if (!bytes || *bytes < kMinSize) {
    return absl::InvalidArgumentError(
        "expected a size such as 256MiB, 64M, 1GiB or a number of bytes, from 1MiB to 1024GiB");
  }
  return *bytes;
}

absl::StatusOr<uint64_t> ParseByteRate(std::string_view text) {
  const std::optional<uint64_t> bytes = Scaled(text, kSizeUnits, kMaxSize);
  if (!bytes || *bytes < kMinRate) {
    return absl::InvalidArgumentError(
        "expected bytes a second such as 10MiB, 512K or a number, from 64KiB to 1024GiB");
  }
  return *bytes;
}

std::string FormatMemorySize(uint64_t bytes) { return Formatted(bytes, kSizeUnits); }

absl::StatusOr<bool> ParseSwitch(std::string_view text) {
  for (std::string_view yes : {"1", "true", "yes", "on"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"0", "false", "no", "off"}) {
    if (text == no) return false;
  }
  return absl::InvalidArgumentError("expected true or false");
}

}  // namespace culvert::config
