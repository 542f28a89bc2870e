// When the consumers of live channels get other resume tickets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace culvert::broker {

// A path may live for longer than the ticket that came with it. Each channel's turn comes between
// half of `every` and `every` after the last one, at random: a broker that was started again got
// all of them at once. Pure: it is told the time. Confined to the control loop.
class TicketRenewals {
 public:
  // In one turn of the loop: each is an encryption and a message.
  static constexpr size_t kAtOnce = 64;

  explicit TicketRenewals(Duration every) : every_(every) {}

  // The channel has got a ticket now.
  void Add(uint64_t channel_id, MonotonicTime now);
  void Remove(uint64_t channel_id);
  // When to call TakeDue; none: there is no channel.
  std::optional<MonotonicTime> next() const;
  // At most kAtOnce of those whose turn has come; each is as if it was added now.
  std::vector<uint64_t> TakeDue(MonotonicTime now);

 private:
  const Duration every_;
  std::set<std::pair<MonotonicTime, uint64_t>> due_;
  std::unordered_map<uint64_t, MonotonicTime> by_channel_;
};

}  // namespace culvert::broker
