// Channels that an administrator ended: whatever tickets are left of them count no more.
#pragma once

#include <cstdint>
#include <unordered_set>

#include "absl/status/status.h"
#include "base/wall_time.h"

namespace culvert::store {

class Database;

// Part of a Store, and confined to its thread.
class KilledChannelTable {
 public:
  // As long as a ticket may live.
  static constexpr std::chrono::hours kKept = std::chrono::hours(24 * 7);

  explicit KilledChannelTable(Database& database) : database_(database) {}
  // Forgets those that are too old.
  absl::Status Load(WallTime now);

  // From memory.
  bool Has(uint64_t channel_id) const { return channels_.count(channel_id) > 0; }
  // One that is there already is kept from now on. If it cannot be written it is remembered until
  // the process ends.
  absl::Status Add(uint64_t channel_id, WallTime now);

 private:
  Database& database_;
  std::unordered_set<uint64_t> channels_;
};

}  // namespace culvert::store
