#include "base/wall_time.h"

#include "absl/time/time.h"

namespace culvert {

std::string FormatTime(WallTime time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(time), absl::UTCTimeZone());
}

std::optional<WallTime> ParseTime(std::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, {text.data(), text.size()}, &time, &error)) return {};
  // Also takes "infinite-future", and years that the clock does not reach.
  constexpr int64_t kMostSeconds = 7258118400;  // the year 2200: the clock counts ns in 63 bits
  const int64_t seconds = absl::ToUnixSeconds(time);
  if (seconds < 0 || seconds > kMostSeconds) return {};
  return absl::ToChronoTime(time);
}

int64_t ToUnixSeconds(WallTime time) { return absl::ToUnixSeconds(absl::FromChrono(time)); }

int64_t ToUnixMillis(WallTime time) { return absl::ToUnixMillis(absl::FromChrono(time)); }

WallTime FromUnixMillis(int64_t millis) { return absl::ToChronoTime(absl::FromUnixMillis(millis)); }

}  // namespace culvert
