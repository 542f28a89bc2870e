// Notices when no connection can be opened because no broker can be reached, and when that is over.
#pragma once

#include <optional>

#include "base/clock.h"
#include "culvert/provider.h"

namespace culvert::forwarder {

// Confined to one thread.
class BrokerWatch {
 public:
  // What there is to tell the user: kAway at most once in kQuietTime, kBack once after it.
  enum class News { kNone, kAway, kBack };
  static constexpr Duration kQuietTime = std::chrono::minutes(1);

  // A channel was opened.
  News OnOpened();
  // A channel has ended, or could not be opened.
  News OnEnd(const ChannelReport& report, MonotonicTime now);

 private:
  std::optional<MonotonicTime> told_away_;  // while the broker is away
};

}  // namespace culvert::forwarder
