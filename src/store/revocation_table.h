// Keys that are no longer believed, whatever certificates they have.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/wall_time.h"

namespace culvert::store {

class Database;

struct Revocation {
  std::string key_id;
  std::string reason;  // may be empty
  WallTime revoked;
};

// Part of a Store, and confined to its thread.
class RevocationTable {
 public:
  static constexpr size_t kMaxReasonBytes = 256;

  explicit RevocationTable(Database& database) : database_(database) {}
  absl::Status Load();

  // From memory.
  bool IsRevoked(const std::string& key_id) const { return keys_.count(key_id) > 0; }

  // All of them or none. A key that is revoked already keeps its first reason. INVALID_ARGUMENT for
  // what is no key id, or a reason that is too long.
  absl::Status Revoke(const std::vector<std::string>& key_ids, const std::string& reason,
                      WallTime now);
  // The same for the keys that `change` names, in one transaction with what it does. Returns them.
  using Change = absl::FunctionRef<absl::StatusOr<std::vector<std::string>>()>;
  absl::StatusOr<std::vector<std::string>> RevokeWith(Change change, const std::string& reason,
                                                      WallTime now);
  // NOT_FOUND if it is not revoked.
  absl::Status Unrevoke(const std::string& key_id);
  // The latest last.
  absl::StatusOr<std::vector<Revocation>> List();

 private:
  Database& database_;
  std::unordered_set<std::string> keys_;
};

}  // namespace culvert::store
