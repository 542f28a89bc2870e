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
  WallTime expires;    // of the last certificate
};

// Part of a Store, and confined to its thread.
class PrincipalTable {
 public:
  explicit PrincipalTable(Database& database) : database_(database) {}

  // How a key got its certificate: by an enrolment token, or by a login, which has to be repeated.
  enum class By { kToken, kLogin };
  // A certificate was issued: the first one enrols. NOT_FOUND if there is no such project. A key
  // that has enrolled with a token is not made less by a login.
  absl::Status Record(const Principal& principal, const std::string& serial, WallTime expires,
                      WallTime now, By by = By::kToken);
  // Whether the key has no certificate but from logins.
  absl::StatusOr<bool> IsByLogin(const Principal& principal);
  // Ordered by role, name and time.
  absl::StatusOr<std::vector<EnrolledKey>> List(const std::string& project);
  // The ids of all keys that a principal ever enrolled with.
  absl::StatusOr<std::vector<std::string>> KeysOf(const std::string& project, Role role,
                                                  const std::string& name);

 private:
  Database& database_;
};

}  // namespace culvert::store
