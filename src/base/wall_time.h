// The wall clock, for what other machines and people must agree on: certificates, tokens, records.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace culvert {

using WallTime = std::chrono::system_clock::time_point;

inline WallTime WallNow() { return std::chrono::system_clock::now(); }

// "2026-01-31T08:00:00.000Z" (RFC 3339, UTC, milliseconds).
std::string FormatTime(WallTime time);
// RFC 3339 with any offset and precision.
std::optional<WallTime> ParseTime(std::string_view text);

// Since 1970, rounded down.
int64_t ToUnixSeconds(WallTime time);
int64_t ToUnixMillis(WallTime time);
WallTime FromUnixMillis(int64_t millis);

}  // namespace culvert
