// What the brokers of the list have said of a channel that asks for another path.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace culvert {

// Pure; for one loss of a path. A channel is lost once no broker is left that might have it. A
// broker that has refused it is not, whatever becomes of tries at others meanwhile, until it says
// something else itself. Nor is one that none of the tries has reached for kUnreachableTime, since
// the first of them: it may be gone for good. As long as no broker has refused, all are left.
class AskedBrokers {
 public:
  // A broker that is started anew, or a network that changes, is back by then.
  static constexpr Duration kUnreachableTime = std::chrono::seconds(60);

  explicit AskedBrokers(size_t brokers) : brokers_(brokers) {}

  void NoteRefused(size_t broker) { brokers_[broker] = {.refused = true}; }
  // It has answered otherwise.
  void NoteAnswered(size_t broker) { brokers_[broker] = {}; }
  // No answer of its own came.
  void NoteUnreachable(size_t broker, MonotonicTime now) {
    if (!brokers_[broker].unreachable_since) brokers_[broker].unreachable_since = now;
  }

  bool IsAnyLeft(MonotonicTime now) const {
    const auto refused = [](const Broker& broker) { return broker.refused; };
    if (std::none_of(brokers_.begin(), brokers_.end(), refused)) return true;
    return std::any_of(brokers_.begin(), brokers_.end(), [now](const Broker& broker) {
      const bool gone =
          broker.unreachable_since && now - *broker.unreachable_since >= kUnreachableTime;
      return !broker.refused && !gone;
    });
  }

 private:
  struct Broker {
    bool refused = false;
    std::optional<MonotonicTime> unreachable_since = std::nullopt;
  };
  std::vector<Broker> brokers_;
};

}  // namespace culvert
