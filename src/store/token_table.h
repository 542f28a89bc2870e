// Enrolment tokens: each lets one holder enrol once, under the name it was made for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "store/principal.h"

namespace culvert::store {

class Database;

// Who a token makes of its holder.
struct Enrolment {
  std::string project;
  Role role = Role::kAgent;
  std::string name;
  friend bool operator==(const Enrolment&, const Enrolment&) = default;
};

struct Token {
  int64_t id = 0;  // never used again
  Enrolment enrolment;
  WallTime created;
  WallTime expires;
  std::optional<WallTime> used;
  std::string used_by;  // a key id; empty if unused
};

struct NewToken {
  int64_t id = 0;
  std::string secret;  // 32 bytes, of which the store keeps only the SHA-256
};

// Part of a Store, and confined to its thread.
class TokenTable {
 public:
  // How long a token that is used or expired can still be told from one that never was.
  static constexpr std::chrono::hours kKept = std::chrono::hours(24 * 30);

  explicit TokenTable(Database& database) : database_(database) {}

  // Makes the project too. INVALID_ARGUMENT if a name is none, or if it would be expired already.
  absl::StatusOr<NewToken> Create(const Enrolment& enrolment, WallTime expires, WallTime now);

  // Uses the token up for the key `key_id`, in one transaction: of two keys exactly one succeeds.
  // The same key may come again until the token expires, the answer to it may have been lost, and
  // for as long as its request waits to be signed.
  // UNAUTHENTICATED if it is unknown, expired or another key's; FAILED_PRECONDITION if it is not
  // for `role`, PERMISSION_DENIED if the key is revoked, and it stays unused. The message says
  // which, and may be told to whoever has the secret.
  absl::StatusOr<Enrolment> Use(std::string_view secret, const std::string& key_id, Role role,
                                WallTime now);

  // The newest last. Those of kKept ago are gone.
  absl::StatusOr<std::vector<Token>> List(const std::string& project);
  // NOT_FOUND, or FAILED_PRECONDITION if it is used: its key can be revoked instead.
  absl::Status Revoke(int64_t id);

  absl::Status Purge(WallTime now);

 private:
  Database& database_;
};

}  // namespace culvert::store
