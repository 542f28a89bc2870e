// Who may say, with a JSON Web Token, that somebody is a user of a project.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"

namespace culvert::store {

class Database;

struct Issuer {
  std::string issuer;  // as its tokens say it: an https URL
  std::string project;
  std::vector<std::string> audiences;  // for which its tokens count, at least one
  std::string claim = "sub";           // that names the user
  std::string source = {};             // of its keys: an absolute path, or an https URL
  std::string authorities = {};  // PEM, that the URL's server is checked with; empty: the system's
  std::string keys = {};         // the last JWK set that could be used; empty: none yet
  WallTime created = {};
};

// Part of a Store, and confined to its thread.
class IssuerTable {
 public:
  static constexpr size_t kMostIssuers = 64;

  explicit IssuerTable(Database& database) : database_(database) {}

  // In the place of one of that name. INVALID_ARGUMENT for what cannot be one, NOT_FOUND if there
  // is no such project.
  absl::Status Set(const Issuer& issuer, WallTime now);
  // NOT_FOUND if there is none of that name.
  absl::Status SetKeys(const std::string& issuer, const std::string& keys);
  absl::Status Remove(const std::string& issuer);
  absl::StatusOr<std::vector<Issuer>> List();

 private:
  Database& database_;
};

}  // namespace culvert::store
