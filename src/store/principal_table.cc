#include "store/principal_table.h"

#include <utility>

#include "store/database.h"
#include "store/projects.h"

namespace culvert::store {
namespace {

void ForgetExpired(Database& database, const Principal& principal, WallTime now) {
  database.Execute(
      "DELETE FROM principals WHERE project = ? AND role = ? AND name = ? AND expires < ?",
      principal.project, std::string(RoleName(principal.role)), principal.name,
      ToUnixMillis(now - PrincipalTable::kKept));
}

absl::Status CheckRoom(Database& database, const Principal& principal, WallTime now) {
  SQLite::Statement count = database.Prepare(
      "SELECT count(*) FROM principals WHERE project = ? AND role = ? AND name = ? AND "
      "key_id != ? AND expires >= ? AND key_id NOT IN (SELECT key_id FROM revocations)",
      principal.project, std::string(RoleName(principal.role)), principal.name, principal.key_id,
      ToUnixMillis(now));
  if (!count.executeStep() || count.getColumn(0).getInt64() < PrincipalTable::kMostKeys) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(fmt::format(
      "{} has {} keys with certificates: revoke those that nobody uses (culvert-broker principal "
      "list), or wait until they expire",
      principal.ToString(), PrincipalTable::kMostKeys));
}

bool Knows(Database& database, const Principal& principal) {
  return database.Finds(
      "SELECT 1 FROM principals WHERE project = ? AND role = ? AND name = ? AND key_id = ?",
      principal.project, std::string(RoleName(principal.role)), principal.name, principal.key_id);
}

}  // namespace

absl::Status PrincipalTable::Record(const Principal& principal, const std::string& serial,
                                    WallTime expires, WallTime now, By by) {
  CULVERT_RETURN_IF_ERROR(CheckPrincipal(principal));
  return database_.Write<absl::Status>("record principal", [&]() -> absl::Status {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, principal.project));
    ForgetExpired(database_, principal, now);
    if (!Knows(database_, principal)) {
      CULVERT_RETURN_IF_ERROR(CheckRoom(database_, principal, now));
    }
    database_.Execute(
        "INSERT INTO principals (project, role, name, key_id, enrolled, serial, expires, by_login) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET serial = excluded.serial, "
        "expires = max(expires, excluded.expires), by_login = CASE WHEN expires < ? "
        "THEN excluded.by_login ELSE min(by_login, excluded.by_login) END",
        principal.project, std::string(RoleName(principal.role)), principal.name, principal.key_id,
        ToUnixMillis(now), serial, ToUnixMillis(expires), by == By::kLogin ? 1 : 0,
        ToUnixMillis(now));
    return absl::OkStatus();
  });
}

absl::StatusOr<PrincipalTable::By> PrincipalTable::HowRecorded(const Principal& principal) {
  using Result = absl::StatusOr<By>;
  return database_.Read<Result>("look up principal", [&]() -> Result {
    SQLite::Statement row = database_.Prepare(
        "SELECT by_login FROM principals WHERE project = ? AND role = ? AND name = ? AND "
        "key_id = ?",
        principal.project, std::string(RoleName(principal.role)), principal.name, principal.key_id);
    if (row.executeStep()) return row.getColumn(0).getInt() == 0 ? By::kToken : By::kLogin;
    return absl::NotFoundError(
        fmt::format("no record of key {} of {}", principal.key_id, principal.ToString()));
  });
}

absl::StatusOr<std::vector<EnrolledKey>> PrincipalTable::List(const std::string& project) {
  using Result = absl::StatusOr<std::vector<EnrolledKey>>;
  return database_.Read<Result>("list principals", [&]() -> Result {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, project));
    SQLite::Statement row = database_.Prepare(
        "SELECT role, name, key_id, enrolled, serial, expires FROM principals WHERE project = ? "
        "ORDER BY role, name, enrolled",
        project);
    std::vector<EnrolledKey> keys;
    while (row.executeStep()) {
      CULVERT_ASSIGN_OR_RETURN(const Role role, ParseRole(TextAt(row, 0)));
      keys.push_back({{project, role, TextAt(row, 1), TextAt(row, 2)},
                      TimeAt(row, 3),
                      TextAt(row, 4),
                      TimeAt(row, 5)});
    }
    return keys;
  });
}

absl::StatusOr<std::vector<std::string>> PrincipalTable::KeysOf(const std::string& project,
                                                                Role role,
                                                                const std::string& name) {
  using Result = absl::StatusOr<std::vector<std::string>>;
  return database_.Read<Result>("list keys", [&]() -> Result {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, project));
    SQLite::Statement row = database_.Prepare(
        "SELECT key_id FROM principals WHERE project = ? AND role = ? AND name = ? "
        "ORDER BY enrolled",
        project, std::string(RoleName(role)), name);
    std::vector<std::string> keys;
    while (row.executeStep()) keys.push_back(TextAt(row, 0));
    return keys;
  });
}

absl::StatusOr<std::vector<Principal>> PrincipalTable::WithKey(const std::string& key_id) {
  using Result = absl::StatusOr<std::vector<Principal>>;
  return database_.Read<Result>("look up key", [&]() -> Result {
    SQLite::Statement row = database_.Prepare(
        "SELECT project, role, name FROM principals WHERE key_id = ? ORDER BY project, role, name",
        key_id);
    std::vector<Principal> found;
    while (row.executeStep()) {
      CULVERT_ASSIGN_OR_RETURN(const Role role, ParseRole(TextAt(row, 1)));
      found.push_back({TextAt(row, 0), role, TextAt(row, 2), key_id});
    }
    return found;
  });
}

absl::StatusOr<std::vector<std::string>> PrincipalTable::OwnKeysOf(const std::string& project,
                                                                   Role role,
                                                                   const std::string& name) {
  using Result = absl::StatusOr<std::vector<std::string>>;
  return database_.Read<Result>("list keys", [&]() -> Result {
    const std::string role_name(RoleName(role));
    SQLite::Statement row = database_.Prepare(
        "SELECT key_id FROM principals WHERE project = ? AND role = ? AND name = ? AND "
        "key_id NOT IN (SELECT key_id FROM principals WHERE project != ? OR role != ? OR "
        "name != ?) ORDER BY enrolled",
        project, role_name, name, project, role_name, name);
    std::vector<std::string> keys;
    while (row.executeStep()) keys.push_back(TextAt(row, 0));
    return keys;
  });
}

}  // namespace culvert::store
