#include "store/key_rotation_table.h"

#include "crypto/digest.h"
#include "store/database.h"

namespace culvert::store {
namespace {

std::string BytesAt(const SQLite::Statement& row, int column) {
  return crypto::FromBase32(TextAt(row, column)).value_or("");
}

}  // namespace

absl::Status KeyRotationTable::Keep(const crypto::KeyRotation& rotation,
                                    const crypto::KeySuccession& keys) {
  return database_.Write<absl::Status>("keep key rotation", [&]() -> absl::Status {
    database_.Execute(
        "INSERT OR REPLACE INTO key_rotations "
        "(spiffe_id, old_key_id, new_key_id, old_key, new_key, time, signature) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        rotation.spiffe_id, keys.old_key.id(), keys.new_key.id(), crypto::Base32(rotation.old_key),
        crypto::Base32(rotation.new_key), rotation.time, crypto::Base32(rotation.signature));
    database_.Execute(
        "DELETE FROM key_rotations WHERE spiffe_id = ? AND id NOT IN "
        "(SELECT id FROM key_rotations WHERE spiffe_id = ? ORDER BY id DESC LIMIT ?)",
        rotation.spiffe_id, rotation.spiffe_id, static_cast<int64_t>(crypto::kMostKeyRotations));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<crypto::KeyRotation>> KeyRotationTable::List(
    const crypto::SpiffeId& id) {
  using Result = absl::StatusOr<std::vector<crypto::KeyRotation>>;
  return database_.Read<Result>("list key rotations", [&]() -> Result {
    SQLite::Statement row = database_.Prepare(
        "SELECT old_key, new_key, spiffe_id, time, signature FROM key_rotations "
        "WHERE spiffe_id = ? AND old_key_id NOT IN (SELECT key_id FROM revocations) "
        "AND new_key_id NOT IN (SELECT key_id FROM revocations) ORDER BY id",
        id.ToString());
    std::vector<crypto::KeyRotation> rotations;
    while (row.executeStep()) {
      rotations.push_back({BytesAt(row, 0), BytesAt(row, 1), TextAt(row, 2),
                           row.getColumn(3).getInt64(), BytesAt(row, 4)});
    }
    return rotations;
  });
}

absl::StatusOr<std::vector<std::string>> KeyRotationTable::SuccessorsOf(const std::string& key_id) {
  using Result = absl::StatusOr<std::vector<std::string>>;
  return database_.Read<Result>("list key rotations", [&]() -> Result {
    // UNION: each once, so that a circle ends.
    SQLite::Statement row = database_.Prepare(
        "WITH RECURSIVE later (key_id) AS ("
        "SELECT new_key_id FROM key_rotations WHERE old_key_id = ? UNION "
        "SELECT new_key_id FROM key_rotations JOIN later ON old_key_id = later.key_id) "
        "SELECT key_id FROM later WHERE key_id != ?",
        key_id, key_id);
    std::vector<std::string> keys;
    while (row.executeStep()) keys.push_back(TextAt(row, 0));
    return keys;
  });
}

}  // namespace culvert::store
