#include "store/revocation_table.h"

#include "base/log.h"
#include "store/database.h"
#include "store/principal.h"

namespace culvert::store {

absl::Status RevocationTable::Load() {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Revocation> all, List());
  for (const Revocation& one : all) keys_.insert(one.key_id);
  return absl::OkStatus();
}

absl::Status RevocationTable::Revoke(const std::vector<std::string>& key_ids,
                                     const std::string& reason, WallTime now) {
  return RevokeWith([&key_ids] { return key_ids; }, reason, now).status();
}

absl::StatusOr<std::vector<std::string>> RevocationTable::RevokeWith(Change change,
                                                                     const std::string& reason,
                                                                     WallTime now) {
  if (reason.size() > kMaxReasonBytes) {
    return absl::InvalidArgumentError(
        fmt::format("a reason has at most {} bytes", kMaxReasonBytes));
  }
  using Result = absl::StatusOr<std::vector<std::string>>;
  CULVERT_ASSIGN_OR_RETURN(
      std::vector<std::string> key_ids, database_.Write<Result>("revoke keys", [&]() -> Result {
        CULVERT_ASSIGN_OR_RETURN(std::vector<std::string> keys, change());
        for (const std::string& key_id : keys) {
          CULVERT_RETURN_IF_ERROR(CheckKeyId(key_id));
          database_.Execute("INSERT OR IGNORE INTO revocations VALUES (?, ?, ?)", key_id, reason,
                            ToUnixMillis(now));
        }
        return keys;
      }));
  keys_.insert(key_ids.begin(), key_ids.end());
  return key_ids;
}

absl::Status RevocationTable::Unrevoke(const std::string& key_id) {
  CULVERT_RETURN_IF_ERROR(CheckKeyId(key_id));
  CULVERT_RETURN_IF_ERROR(database_.Write<absl::Status>("unrevoke key", [&]() -> absl::Status {
    if (database_.Execute("DELETE FROM revocations WHERE key_id = ?", key_id) > 0) {
      return absl::OkStatus();
    }
    return absl::NotFoundError(fmt::format("key {} is not revoked", key_id));
  }));
  keys_.erase(key_id);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Revocation>> RevocationTable::List() {
  using Result = absl::StatusOr<std::vector<Revocation>>;
  return database_.Read<Result>("list revocations", [&]() -> Result {
    SQLite::Statement row = database_.Prepare(
        "SELECT key_id, reason, revoked FROM revocations ORDER BY revoked, key_id");
    std::vector<Revocation> all;
    while (row.executeStep()) all.push_back({TextAt(row, 0), TextAt(row, 1), TimeAt(row, 2)});
    return all;
  });
}

}  // namespace culvert::store
