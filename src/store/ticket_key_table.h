// The keys that resume tickets are sealed with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/wall_time.h"

namespace culvert::store {

class Database;

struct TicketKey {
  int64_t id = 0;  // random, never 0
  std::string key;
  WallTime created;
  int64_t seals = 0;  // how often it may have been used
};

// Part of a Store, and confined to its thread.
class TicketKeyTable {
 public:
  // From its making: it seals for a day, and what it sealed last lives for seven more.
  static constexpr std::chrono::hours kKept = std::chrono::hours(24 * 9);

  explicit TicketKeyTable(Database& database) : database_(database) {}
  absl::Status Load();

  // From memory; the oldest first.
  const std::vector<TicketKey>& keys() const { return keys_; }

  // Forgets those that are too old.
  absl::Status Add(const TicketKey& key, WallTime now);
  // To be called before the seals are made.
  absl::Status SetSeals(int64_t id, int64_t seals);

 private:
  Database& database_;
  std::vector<TicketKey> keys_;
};

}  // namespace culvert::store
