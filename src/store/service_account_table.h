// Service accounts: who signs his JSON Web Tokens himself, with a key that an operator knows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "crypto/jwk.h"

namespace culvert::store {

class Database;

struct ServiceAccountKey {
  std::string project;
  std::string name;
  crypto::Jwk jwk;  // its id is never empty
  WallTime created;
};

// Part of a Store, and confined to its thread. An account is there as long as it has a key.
class ServiceAccountTable {
 public:
  static constexpr size_t kMostKeys = 16;  // of an account

  explicit ServiceAccountTable(Database& database) : database_(database) {}

  // A key without an id gets its thumbprint for one. ALREADY_EXISTS if the account has one of that
  // id, NOT_FOUND if there is no such project. Returns the key as it is known now.
  absl::StatusOr<crypto::Jwk> Add(const std::string& project, const std::string& name,
                                  const crypto::Jwk& jwk, WallTime now);
  // One key, or all of them. NOT_FOUND if there is none.
  absl::Status Remove(const std::string& project, const std::string& name,
                      const std::optional<std::string>& key_id);
  // The same inside a transaction.
  absl::Status RemoveIn(const std::string& project, const std::string& name,
                        const std::optional<std::string>& key_id);
  // Ordered by name; of every project without one.
  absl::StatusOr<std::vector<ServiceAccountKey>> List(const std::optional<std::string>& project);

 private:
  Database& database_;
};

}  // namespace culvert::store
