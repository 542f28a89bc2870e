// Who has enrolled.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "store/principal.h"

namespace culvert::store {

class Database;

// One key of a principal: who has two machines, or a new key, is there twice.
struct EnrolledKey {
  Principal principal;
  WallTime first_enrolled;
  std::string serial;  // of the last certificate
  WallTime expires;    // of the certificate that lasts longest
};

// Part of a Store, and confined to its thread.
class PrincipalTable {
 public:
  // Keys of one principal that have certificates in their time and are not revoked: whoever may
  // have certificates issued does not fill the store with them.
  static constexpr int64_t kMostKeys = 64;
  // How long a key is remembered when its certificates have expired.
  static constexpr std::chrono::hours kKept = std::chrono::hours(24 * 30);

  explicit PrincipalTable(Database& database) : database_(database) {}

  // How a key got its certificate: by an enrolment token, or by a login, which has to be repeated.
  enum class By { kToken, kLogin };
  // A certificate was issued: the first one enrols. NOT_FOUND if there is no such project,
  // RESOURCE_EXHAUSTED for another key of who has kMostKeys. A key whose certificate of a token is
  // in its time is not made less by a login; one whose certificates have expired begins anew.
  absl::Status Record(const Principal& principal, const std::string& serial, WallTime expires,
                      WallTime now, By by = By::kToken);
  // How the key got what it has; NOT_FOUND if it is not on record.
  absl::StatusOr<By> HowRecorded(const Principal& principal);
  // Ordered by role, name and time.
  absl::StatusOr<std::vector<EnrolledKey>> List(const std::string& project);
  // The ids of all keys that a principal is known with.
  absl::StatusOr<std::vector<std::string>> KeysOf(const std::string& project, Role role,
                                                  const std::string& name);
  // Who is known with a key.
  absl::StatusOr<std::vector<Principal>> WithKey(const std::string& key_id);
  // Those keys that nobody else is known with. Also inside a transaction.
  absl::StatusOr<std::vector<std::string>> OwnKeysOf(const std::string& project, Role role,
                                                     const std::string& name);

 private:
  Database& database_;
};

}  // namespace culvert::store
