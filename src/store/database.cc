#include "store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "store/state_dir.h"

namespace culvert::store {
namespace {

constexpr int kBusyMillis = 5000;

// Entry n leads from version n (PRAGMA user_version) to n + 1. Entries are never changed, only
// added. Times are milliseconds since 1970; an empty target stands for every target.
constexpr std::array kMigrations = {
    R"sql(
    CREATE TABLE projects (
      name TEXT PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE principals (
      project TEXT NOT NULL REFERENCES projects (name), role TEXT NOT NULL, name TEXT NOT NULL,
      key_id TEXT NOT NULL, enrolled INTEGER NOT NULL, serial TEXT NOT NULL,
      expires INTEGER NOT NULL,
      PRIMARY KEY (project, role, name, key_id)) STRICT, WITHOUT ROWID;
    CREATE TABLE tokens (
      id INTEGER PRIMARY KEY AUTOINCREMENT, secret_hash TEXT NOT NULL UNIQUE,
      project TEXT NOT NULL REFERENCES projects (name), role TEXT NOT NULL, name TEXT NOT NULL,
      created INTEGER NOT NULL, expires INTEGER NOT NULL, used_at INTEGER, used_by TEXT) STRICT;
    CREATE TABLE revocations (
      key_id TEXT PRIMARY KEY, reason TEXT NOT NULL, revoked INTEGER NOT NULL)
      STRICT, WITHOUT ROWID;
    CREATE TABLE groups (
      project TEXT NOT NULL REFERENCES projects (name), name TEXT NOT NULL,
      PRIMARY KEY (project, name)) STRICT, WITHOUT ROWID;
    CREATE TABLE group_members (
      project TEXT NOT NULL, group_name TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
      PRIMARY KEY (project, group_name, kind, name),
      FOREIGN KEY (project, group_name) REFERENCES groups (project, name) ON DELETE CASCADE)
      STRICT, WITHOUT ROWID;
    CREATE TABLE roles (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE role_permissions (
      role TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE, permission TEXT NOT NULL,
      PRIMARY KEY (role, permission)) STRICT, WITHOUT ROWID;
    CREATE TABLE bindings (
      id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL REFERENCES projects (name),
      subject_kind TEXT NOT NULL, subject TEXT NOT NULL, role TEXT NOT NULL, agent TEXT NOT NULL,
      service TEXT NOT NULL, target TEXT NOT NULL, created INTEGER NOT NULL,
      created_by TEXT NOT NULL,
      UNIQUE (project, subject_kind, subject, role, agent, service, target)) STRICT;
    )sql",
    // Keys and signatures in base32.
    R"sql(
    CREATE TABLE key_rotations (
      id INTEGER PRIMARY KEY AUTOINCREMENT, spiffe_id TEXT NOT NULL, old_key_id TEXT NOT NULL,
      new_key_id TEXT NOT NULL, old_key TEXT NOT NULL, new_key TEXT NOT NULL,
      time INTEGER NOT NULL, signature TEXT NOT NULL,
      UNIQUE (spiffe_id, old_key_id, new_key_id)) STRICT;
    )sql",
    // An empty certificate waits to be signed.
    R"sql(
    CREATE TABLE signing_requests (
      id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, role TEXT NOT NULL,
      name TEXT NOT NULL, key_id TEXT NOT NULL UNIQUE, request TEXT NOT NULL,
      certificate TEXT NOT NULL, asked INTEGER NOT NULL) STRICT;
    )sql",
    R"sql(
    CREATE TABLE issuers (
      issuer TEXT PRIMARY KEY, project TEXT NOT NULL REFERENCES projects (name),
      audiences TEXT NOT NULL, claim TEXT NOT NULL, source TEXT NOT NULL,
      authorities TEXT NOT NULL, keys TEXT NOT NULL, created INTEGER NOT NULL)
      STRICT, WITHOUT ROWID;
    CREATE TABLE service_account_keys (
      project TEXT NOT NULL REFERENCES projects (name), name TEXT NOT NULL, key_id TEXT NOT NULL,
      jwk TEXT NOT NULL, created INTEGER NOT NULL,
      PRIMARY KEY (project, name, key_id)) STRICT, WITHOUT ROWID;
    ALTER TABLE principals ADD COLUMN by_login INTEGER NOT NULL DEFAULT 0;
    )sql",
    R"sql(
    CREATE TABLE ticket_keys (
      id INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER NOT NULL, seals INTEGER NOT NULL)
      STRICT, WITHOUT ROWID;
    CREATE TABLE killed_channels (
      channel_id INTEGER PRIMARY KEY, killed INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    )sql",
    // A body is a serialized ntt.proxies.v1.Project; that of a row from before is made at the
    // start.
    R"sql(
    ALTER TABLE projects ADD COLUMN body BLOB NOT NULL DEFAULT x'';
    ALTER TABLE projects ADD COLUMN created_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE projects ADD COLUMN updated_us INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX projects_by_create_time ON projects (created_us, name);
    CREATE INDEX projects_by_update_time ON projects (updated_us, name);
    CREATE TABLE project_changes (
      version INTEGER PRIMARY KEY, changed_us INTEGER NOT NULL, before BLOB, after BLOB) STRICT;
    CREATE TABLE project_version (
      id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, trimmed INTEGER NOT NULL,
      token_key BLOB NOT NULL) STRICT;
    INSERT INTO project_version VALUES (0, 0, 0, randomblob(32));
    )sql",
    // No reference to projects: '*' is for those that have none of their own. NULL is no limit.
    R"sql(
    CREATE TABLE quotas (
      project TEXT PRIMARY KEY, agents INTEGER, channels INTEGER, bytes_per_second INTEGER,
      new_channels_per_second INTEGER) STRICT, WITHOUT ROWID;
    )sql",
    R"sql(
    CREATE INDEX project_changes_by_time ON project_changes (changed_us);
    ALTER TABLE project_version ADD COLUMN log_bytes INTEGER NOT NULL DEFAULT 0;
    UPDATE project_version SET log_bytes = (
      SELECT coalesce(sum(coalesce(length(before), 0) + coalesce(length(after), 0)), 0)
      FROM project_changes);
    )sql",
};

// SQLite makes a file as wide as the umask allows, and its -wal and -shm as wide as the file.
absl::Status MakeFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (fd < 0) return SystemError(errno, fmt::format("open {}", path));
  close(fd);
  return absl::OkStatus();
}

}  // namespace

absl::Status StatusOf(const SQLite::Exception& error, std::string_view what) {
  const std::string message = fmt::format("{}: {}", what, error.what());
  switch (error.getErrorCode()) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

Database::Database(const std::string& path)
    : sqlite_(path, SQLite::OPEN_READWRITE | SQLite::OPEN_NOFOLLOW, kBusyMillis) {
  sqlite_.exec("PRAGMA journal_mode = WAL");
  sqlite_.exec("PRAGMA synchronous = FULL");
  sqlite_.exec("PRAGMA foreign_keys = ON");
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  CULVERT_RETURN_IF_ERROR(MakeFile(path));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    CULVERT_RETURN_IF_ERROR(CheckOursAlone(path + suffix));
  }
  using Result = absl::StatusOr<std::unique_ptr<Database>>;
  return Guard<Result>(fmt::format("open {}", path), [&]() -> Result {
    std::unique_ptr<Database> database(new Database(path));
    CULVERT_RETURN_IF_ERROR(database->Migrate());
    return database;
  });
}

absl::Status Database::Migrate() {
  return Write<absl::Status>("migrate the store", [&]() -> absl::Status {
    const int found = sqlite_.execAndGet("PRAGMA user_version").getInt();
    constexpr int kKnown = static_cast<int>(kMigrations.size());
    if (found < 0 || found > kKnown) {
      return absl::FailedPreconditionError(
          fmt::format("{} is of a newer version of culvert-broker (schema {}, this program knows "
                      "{}): install that version",
                      sqlite_.getFilename(), found, kKnown));
    }
    for (int version = found; version < kKnown; ++version) {
      sqlite_.exec(kMigrations[static_cast<size_t>(version)]);
    }
    if (found != kKnown) sqlite_.exec(fmt::format("PRAGMA user_version = {}", kKnown));
    return absl::OkStatus();
  });
}

}  // namespace culvert::store
