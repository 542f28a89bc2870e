#include "base/backoff.h"

#include <algorithm>

namespace culvert {

Duration Backoff::Next() {
  const auto grown =
      Duration(static_cast<Duration::rep>(static_cast<double>(cap_.count()) * options_.factor));
  cap_ = cap_ == Duration::zero() ? options_.initial : std::min(grown, options_.max);
  return Duration(
      absl::Uniform<Duration::rep>(absl::IntervalClosed, random_, cap_.count() / 2, cap_.count()));
}

void Backoff::Reset() { cap_ = Duration::zero(); }

}  // namespace culvert
