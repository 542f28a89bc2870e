#include "store/principal_table.h"

#include <utility>

#include "store/database.h"
#include "store/projects.h"

namespace culvert::store {

absl::Status PrincipalTable::Record(const Principal& principal, const std::string& serial,
                                    WallTime expires, WallTime now, By by) {
  CULVERT_RETURN_IF_ERROR(CheckPrincipal(principal));
  return database_.Write<absl::Status>("record principal", [&]() -> absl::Status {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, principal.project));
    database_.Execute(
        "INSERT INTO principals (project, role, name, key_id, enrolled, serial, expires, by_login) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET serial = excluded.serial, expires = excluded.expires, "
        "by_login = min(by_login, excluded.by_login)",
        principal.project, std::string(RoleName(principal.role)), principal.name, principal.key_id,
        ToUnixMillis(now), serial, ToUnixMillis(expires), by == By::kLogin ? 1 : 0);
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> PrincipalTable::IsByLogin(const Principal& principal) {
  using Result = absl::StatusOr<bool>;
  return database_.Read<Result>("look up principal", [&]() -> Result {
    return database_.Finds(
        "SELECT 1 FROM principals WHERE project = ? AND role = ? AND name = ? AND key_id = ? "
        "AND by_login = 1",
        principal.project, std::string(RoleName(principal.role)), principal.name, principal.key_id);
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

}  // namespace culvert::store
