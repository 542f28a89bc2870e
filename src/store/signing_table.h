// Requests for certificates that wait to be signed where the authority's key is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "store/principal.h"

namespace culvert::store {

class Database;

struct SigningRequest {
  Principal principal;
  std::string request;      // PKCS #10, PEM; for the principal's key
  std::string certificate;  // PEM; empty while it waits
  WallTime asked;
};

// Part of a Store, and confined to its thread. One request for a key.
class SigningTable {
 public:
  static constexpr int64_t kMostWaiting = 10'000;
  // Who asks for more keys than that loses its oldest requests.
  static constexpr int64_t kMostWaitingOfOne = 4;
  // How long a request waits, and a certificate that nobody asks for.
  static constexpr std::chrono::hours kKept = std::chrono::hours(24 * 30);

  explicit SigningTable(Database& database) : database_(database) {}

  absl::StatusOr<std::optional<SigningRequest>> Find(const std::string& key_id);
  // In the place of an earlier one for the same key, also one that is signed. RESOURCE_EXHAUSTED if
  // too many wait.
  absl::Status Add(const Principal& principal, const std::string& request, WallTime now);
  // NOT_FOUND if none is there for this key.
  absl::Status Sign(const std::string& key_id, const std::string& certificate);
  // Those that are not signed, the oldest first; none of a revoked key.
  absl::StatusOr<std::vector<SigningRequest>> Waiting();

  // Those that a principal has asked for, signed or not; the oldest first.
  absl::StatusOr<std::vector<std::string>> KeysOf(const std::string& project, Role role,
                                                  const std::string& name);

  absl::Status Purge(WallTime now);

 private:
  Database& database_;
};

}  // namespace culvert::store
