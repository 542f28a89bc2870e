// What the brokers of the list have said of a channel that asks for another path.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"

namespace culvert {

// Pure; for one loss of a path. Brokers go by their numbers (BrokerList). A channel is lost once no
// broker is left that might have it. A broker that has refused it is not, whatever becomes of tries
// at others meanwhile, until it says something else itself. Nor is one that none of the tries has
// reached for kUnreachableTime, since the first of them: it may be gone for good. As long as no
// broker has refused, all are left.
class AskedBrokers {
 public:
  // A broker that is started anew, or a network that changes, is back by then.
  static constexpr Duration kUnreachableTime = std::chrono::seconds(60);

  void NoteRefused(size_t broker) { brokers_[broker] = {.refused = true}; }
  // It has answered otherwise.
  void NoteAnswered(size_t broker) { brokers_[broker] = {}; }
  // No answer of its own came.
  void NoteUnreachable(size_t broker, MonotonicTime now) {
    if (!brokers_[broker].unreachable_since) brokers_[broker].unreachable_since = now;
  }

  // Of those that are listed now.
  bool IsAnyLeft(const std::vector<size_t>& listed, MonotonicTime now) const {
    const auto refused = [](const auto& asked) { return asked.second.refused; };
    if (std::none_of(brokers_.begin(), brokers_.end(), refused)) return true;
    return std::any_of(listed.begin(), listed.end(), [this, now](size_t number) {
      const auto found = brokers_.find(number);
      if (found == brokers_.end()) return true;
      const Broker& broker = found->second;
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
  std::unordered_map<size_t, Broker> brokers_;  // those that were asked
};

}  // namespace culvert
