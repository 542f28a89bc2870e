#include "store/killed_channel_table.h"

#include "store/database.h"

namespace culvert::store {
namespace {

// A little longer than a ticket: its expiry has a leeway.
constexpr std::chrono::hours kSlack{1};

void PurgeKilled(Database& database, WallTime now) {
  database.Execute("DELETE FROM killed_channels WHERE killed < ?",
                   ToUnixMillis(now - KilledChannelTable::kKept - kSlack));
}

// Ids have 63 bits on the wire; whatever is asked for here keeps its bits.
int64_t ColumnOf(uint64_t channel_id) { return static_cast<int64_t>(channel_id); }

}  // namespace

absl::Status KilledChannelTable::Load(WallTime now) {
  return database_.Write<absl::Status>("load killed channels", [&]() -> absl::Status {
    PurgeKilled(database_, now);
    SQLite::Statement row = database_.Prepare("SELECT channel_id FROM killed_channels");
    std::unordered_set<uint64_t> channels;
    while (row.executeStep()) {
      channels.insert(static_cast<uint64_t>(row.getColumn(0).getInt64()));
    }
    channels_ = std::move(channels);
    return absl::OkStatus();
  });
}

absl::Status KilledChannelTable::Add(uint64_t channel_id, WallTime now) {
  channels_.insert(channel_id);
  // Without reading them again: what could not be written earlier is to count until the end.
  return database_.Write<absl::Status>("kill channel", [&]() -> absl::Status {
    PurgeKilled(database_, now);
    database_.Execute("INSERT OR REPLACE INTO killed_channels (channel_id, killed) VALUES (?, ?)",
                      ColumnOf(channel_id), ToUnixMillis(now));
    return absl::OkStatus();
  });
}

}  // namespace culvert::store
