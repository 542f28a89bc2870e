// Quantities as people write them. Messages say what was expected; the caller adds the text and
// where it stood.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace culvert::config {

// Decimal digits only: no sign, no leading zeros.
absl::StatusOr<uint64_t> ParseDecimal(std::string_view text);

// A limit from 1 to 2^32 - 1; the second one takes 0 too, where it means "choose".
absl::StatusOr<uint32_t> ParseLimit(std::string_view text);
absl::StatusOr<uint32_t> ParseLimitOrZero(std::string_view text);

// "30s", "500ms", "2m", "1h", or a bare number of seconds; at most a year. The second one refuses
// 0.
absl::StatusOr<Duration> ParseDuration(std::string_view text);
absl::StatusOr<Duration> ParsePositiveDuration(std::string_view text);
// In the largest unit that divides it: parses back to the same.
std::string FormatDuration(Duration duration);

// "256MiB", "64M", "1GiB", "512K", or a bare number of bytes; all units are powers of 1024. At
// least 1 MiB, at most 1 TiB.
absl::StatusOr<uint64_t> ParseMemorySize(std::string_view text);
std::string FormatMemorySize(uint64_t bytes);
// The same units for so many bytes a second, from 64 KiB to 1 TiB.
absl::StatusOr<uint64_t> ParseByteRate(std::string_view text);

// "1", "true", "yes", "on" and "0", "false", "no", "off".
absl::StatusOr<bool> ParseSwitch(std::string_view text);

}  // namespace culvert::config
