// How much a project may have at the broker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace culvert::store {

class Database;

// What is not there is not limited; 0 lets nothing in.
struct Quota {
  std::optional<uint64_t> agents = std::nullopt;            // registered at once
  std::optional<uint64_t> channels = std::nullopt;          // at once
  std::optional<uint64_t> bytes_per_second = std::nullopt;  // both ways together, never 0
  std::optional<uint64_t> new_channels_per_second = std::nullopt;

  friend bool operator==(const Quota&, const Quota&) = default;
  // For records: "agents 100, channels 1000".
  std::string ToString() const;
};

// What is changed of a quota: nothing inside takes a limit away.
struct QuotaChange {
  using Limit = std::optional<std::optional<uint64_t>>;
  Limit agents = std::nullopt;
  Limit channels = std::nullopt;
  Limit bytes_per_second = std::nullopt;
  Limit new_channels_per_second = std::nullopt;

  Quota AppliedTo(Quota quota) const;
};

// Part of a Store, and confined to its thread.
class QuotaTable {
 public:
  // The name of the quota of those projects that have none of their own.
  static constexpr char kDefault[] = "*";
  // Less would hold a single message up for longer than its ends wait for a sign of life.
  static constexpr uint64_t kLeastBytesPerSecond = uint64_t{64} * 1024;
  static constexpr uint64_t kMostBytesPerSecond = uint64_t{1} << 40;
  static constexpr uint64_t kMostOfOther = 0xffff'ffff;

  explicit QuotaTable(Database& database) : database_(database) {}
  absl::Status Load();

  // Makes the quota of `project`, or the default, if it is not there. INVALID_ARGUMENT for a limit
  // that is out of range, NOT_FOUND if there is no such project. `changed` is what it is now.
  absl::Status Set(const std::string& project, const QuotaChange& change, Quota& changed);
  // The default counts for `project` from now on; NOT_FOUND if it has no quota of its own.
  absl::Status Clear(const std::string& project);

  // From memory: what counts for `project`, whose own quota counts as a whole.
  Quota Of(const std::string& project) const;
  // The default first, then by name.
  std::vector<std::pair<std::string, Quota>> List() const;

 private:
  Database& database_;
  std::unordered_map<std::string, Quota> quotas_;
};

}  // namespace culvert::store
