#include "store/service_account_table.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "store/database.h"
#include "store/principal.h"
#include "store/projects.h"

namespace culvert::store {
namespace {

constexpr size_t kMostIdBytes = 256;

absl::Status CheckKey(const crypto::Jwk& jwk) {
  const bool good =
      jwk.id.size() <= kMostIdBytes &&
      std::all_of(jwk.id.begin(), jwk.id.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "kid \"{}\": expected at most {} printable characters", Printable(jwk.id), kMostIdBytes));
}

absl::Status CheckRoom(Database& database, const std::string& project, const std::string& name) {
  SQLite::Statement count = database.Prepare(
      "SELECT count(*) FROM service_account_keys WHERE project = ? AND name = ?", project, name);
  if (!count.executeStep() ||
      count.getColumn(0).getInt64() < int64_t{ServiceAccountTable::kMostKeys}) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(fmt::format(
      "service account {} has {} keys: remove one first", name, ServiceAccountTable::kMostKeys));
}

}  // namespace

absl::StatusOr<crypto::Jwk> ServiceAccountTable::Add(const std::string& project,
                                                     const std::string& name,
                                                     const crypto::Jwk& jwk, WallTime now) {
  CULVERT_RETURN_IF_ERROR(CheckId("project", project));
  CULVERT_RETURN_IF_ERROR(CheckId("service account", name));
  CULVERT_RETURN_IF_ERROR(CheckKey(jwk));
  crypto::Jwk known = jwk;
  if (known.id.empty()) known.id = known.key.thumbprint();
  using Result = absl::StatusOr<crypto::Jwk>;
  return database_.Write<Result>("add service account", [&]() -> Result {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, project));
    CULVERT_RETURN_IF_ERROR(CheckRoom(database_, project, name));
    const int added =
        database_.Execute("INSERT OR IGNORE INTO service_account_keys VALUES (?, ?, ?, ?, ?)",
                          project, name, known.id, known.ToJson(), ToUnixMillis(now));
    if (added > 0) return std::move(known);
    return absl::AlreadyExistsError(
        fmt::format("service account {} has a key {} already", name, known.id));
  });
}

absl::Status ServiceAccountTable::Remove(const std::string& project, const std::string& name,
                                         const std::optional<std::string>& key_id) {
  return database_.Write<absl::Status>("remove service account",
                                       [&] { return RemoveIn(project, name, key_id); });
}

absl::Status ServiceAccountTable::RemoveIn(const std::string& project, const std::string& name,
                                           const std::optional<std::string>& key_id) {
  const int removed =
      key_id ? database_.Execute(
                   "DELETE FROM service_account_keys WHERE project = ? AND name = ? AND "
                   "key_id = ?",
                   project, name, *key_id)
             : database_.Execute("DELETE FROM service_account_keys WHERE project = ? AND name = ?",
                                 project, name);
  if (removed > 0) return absl::OkStatus();
  return absl::NotFoundError(
      key_id ? fmt::format("service account {} has no key {}", Printable(name), Printable(*key_id))
             : fmt::format("no service account \"{}\"", Printable(name)));
}

absl::StatusOr<std::vector<ServiceAccountKey>> ServiceAccountTable::List(
    const std::optional<std::string>& project) {
  using Result = absl::StatusOr<std::vector<ServiceAccountKey>>;
  return database_.Read<Result>("list service accounts", [&]() -> Result {
    if (project) CULVERT_RETURN_IF_ERROR(CheckProject(database_, *project));
    SQLite::Statement row = database_.Prepare(
        "SELECT project, name, jwk, created FROM service_account_keys ORDER BY project, name, "
        "created");
    std::vector<ServiceAccountKey> keys;
    while (row.executeStep()) {
      if (project && TextAt(row, 0) != *project) continue;
      CULVERT_ASSIGN_OR_RETURN(crypto::Jwk jwk, crypto::Jwk::FromJson(TextAt(row, 2)));
      keys.push_back({TextAt(row, 0), TextAt(row, 1), std::move(jwk), TimeAt(row, 3)});
    }
    return keys;
  });
}

}  // namespace culvert::store
