// What keys have said of their successors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "crypto/key_rotation.h"

namespace culvert::store {

class Database;

// Part of a Store, and confined to its thread.
class KeyRotationTable {
 public:
  explicit KeyRotationTable(Database& database) : database_(database) {}

  // `keys` are those of the statement, which was checked. One that is there already is replaced. Of
  // a principal's the last crypto::kMostKeyRotations are kept.
  absl::Status Keep(const crypto::KeyRotation& rotation, const crypto::KeySuccession& keys);
  // The oldest first. A revoked key vouches for nothing, and nothing for it: those are left out.
  absl::StatusOr<std::vector<crypto::KeyRotation>> List(const crypto::SpiffeId& id);
  // The ids of the keys to which statements lead from `key_id`, of whomever, in some number of
  // steps; revoked ones too.
  absl::StatusOr<std::vector<std::string>> SuccessorsOf(const std::string& key_id);

 private:
  Database& database_;
};

}  // namespace culvert::store
