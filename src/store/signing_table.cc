#include "store/signing_table.h"

#include "store/database.h"

namespace culvert::store {
namespace {

constexpr char kSelectRequests[] =
    "SELECT project, role, name, key_id, request, certificate, asked FROM signing_requests ";

absl::StatusOr<SigningRequest> RequestAt(const SQLite::Statement& row) {
  CULVERT_ASSIGN_OR_RETURN(const Role role, ParseRole(TextAt(row, 1)));
  return SigningRequest{{TextAt(row, 0), role, TextAt(row, 2), TextAt(row, 3)},
                        TextAt(row, 4),
                        TextAt(row, 5),
                        TimeAt(row, 6)};
}

void PurgeRequests(Database& database, WallTime now) {
  database.Execute("DELETE FROM signing_requests WHERE asked < ?",
                   ToUnixMillis(now - SigningTable::kKept));
}

void DropOldestOf(Database& database, const Principal& principal) {
  const std::string role(RoleName(principal.role));
  database.Execute(
      "DELETE FROM signing_requests WHERE certificate = '' AND project = ? AND role = ? AND "
      "name = ? AND id NOT IN (SELECT id FROM signing_requests WHERE certificate = '' AND "
      "project = ? AND role = ? AND name = ? ORDER BY id DESC LIMIT ?)",
      principal.project, role, principal.name, principal.project, role, principal.name,
      SigningTable::kMostWaitingOfOne);
}

}  // namespace

absl::StatusOr<std::optional<SigningRequest>> SigningTable::Find(const std::string& key_id) {
  using Result = absl::StatusOr<std::optional<SigningRequest>>;
  return database_.Read<Result>("find request", [&]() -> Result {
    SQLite::Statement row =
        database_.Prepare(fmt::format("{} WHERE key_id = ?", kSelectRequests).c_str(), key_id);
    if (!row.executeStep()) return std::nullopt;
    CULVERT_ASSIGN_OR_RETURN(SigningRequest request, RequestAt(row));
    return std::optional<SigningRequest>(std::move(request));
  });
}

absl::Status SigningTable::Add(const Principal& principal, const std::string& request,
                               WallTime now) {
  CULVERT_RETURN_IF_ERROR(CheckPrincipal(principal));
  return database_.Write<absl::Status>("keep request", [&]() -> absl::Status {
    PurgeRequests(database_, now);
    database_.Execute("DELETE FROM signing_requests WHERE key_id = ?", principal.key_id);
    SQLite::Statement waiting =
        database_.Prepare("SELECT count(*) FROM signing_requests WHERE certificate = ''");
    if (waiting.executeStep() && waiting.getColumn(0).getInt64() >= kMostWaiting) {
      return absl::ResourceExhaustedError("too many requests wait to be signed");
    }
    database_.Execute(
        "INSERT INTO signing_requests (project, role, name, key_id, request, certificate, asked) "
        "VALUES (?, ?, ?, ?, ?, '', ?)",
        principal.project, std::string(RoleName(principal.role)), principal.name, principal.key_id,
        request, ToUnixMillis(now));
    DropOldestOf(database_, principal);
    return absl::OkStatus();
  });
}

absl::Status SigningTable::Sign(const std::string& key_id, const std::string& certificate) {
  return database_.Write<absl::Status>("keep certificate", [&]() -> absl::Status {
    if (database_.Execute("UPDATE signing_requests SET certificate = ? WHERE key_id = ?",
                          certificate, key_id) > 0) {
      return absl::OkStatus();
    }
    return absl::NotFoundError(fmt::format("no request of key {} waits", key_id));
  });
}

absl::StatusOr<std::vector<SigningRequest>> SigningTable::Waiting() {
  using Result = absl::StatusOr<std::vector<SigningRequest>>;
  return database_.Read<Result>("list requests", [&]() -> Result {
    SQLite::Statement row =
        database_.Prepare(fmt::format("{} WHERE certificate = '' AND key_id NOT IN "
                                      "(SELECT key_id FROM revocations) ORDER BY id",
                                      kSelectRequests)
                              .c_str());
    std::vector<SigningRequest> requests;
    while (row.executeStep()) {
      CULVERT_ASSIGN_OR_RETURN(SigningRequest request, RequestAt(row));
      requests.push_back(std::move(request));
    }
    return requests;
  });
}

absl::StatusOr<std::vector<std::string>> SigningTable::KeysOf(const std::string& project, Role role,
                                                              const std::string& name) {
  using Result = absl::StatusOr<std::vector<std::string>>;
  return database_.Read<Result>("list requests", [&]() -> Result {
    SQLite::Statement row = database_.Prepare(
        "SELECT key_id FROM signing_requests WHERE project = ? AND role = ? AND name = ? "
        "ORDER BY id",
        project, std::string(RoleName(role)), name);
    std::vector<std::string> keys;
    while (row.executeStep()) keys.push_back(TextAt(row, 0));
    return keys;
  });
}

absl::Status SigningTable::Purge(WallTime now) {
  return database_.Write<absl::Status>("purge requests", [&]() -> absl::Status {
    PurgeRequests(database_, now);
    return absl::OkStatus();
  });
}

}  // namespace culvert::store
