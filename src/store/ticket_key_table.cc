#include "store/ticket_key_table.h"

#include "crypto/digest.h"
#include "store/database.h"

namespace culvert::store {

absl::Status TicketKeyTable::Load() {
  return database_.Read<absl::Status>("load ticket keys", [&]() -> absl::Status {
    SQLite::Statement row =
        database_.Prepare("SELECT id, key, created, seals FROM ticket_keys ORDER BY created, id");
    std::vector<TicketKey> keys;
    while (row.executeStep()) {
      keys.push_back({row.getColumn(0).getInt64(), crypto::FromBase32(TextAt(row, 1)).value_or(""),
                      TimeAt(row, 2), row.getColumn(3).getInt64()});
    }
    keys_ = std::move(keys);
    return absl::OkStatus();
  });
}

absl::Status TicketKeyTable::Add(const TicketKey& key, WallTime now) {
  CULVERT_RETURN_IF_ERROR(database_.Write<absl::Status>("keep ticket key", [&]() -> absl::Status {
    database_.Execute("DELETE FROM ticket_keys WHERE created < ?", ToUnixMillis(now - kKept));
    database_.Execute("INSERT INTO ticket_keys (id, key, created, seals) VALUES (?, ?, ?, ?)",
                      key.id, crypto::Base32(key.key), ToUnixMillis(key.created), key.seals);
    return absl::OkStatus();
  }));
  return Load();
}

absl::Status TicketKeyTable::SetSeals(int64_t id, int64_t seals) {
  CULVERT_RETURN_IF_ERROR(database_.Write<absl::Status>("count tickets", [&]() -> absl::Status {
    database_.Execute("UPDATE ticket_keys SET seals = ? WHERE id = ?", seals, id);
    return absl::OkStatus();
  }));
  return Load();
}

}  // namespace culvert::store
