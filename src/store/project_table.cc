#include "store/project_table.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "crypto/random.h"
#include "store/database.h"
#include "store/project_ranges.h"

namespace culvert::store {
namespace {

constexpr std::string_view kNamePrefix = "projects/";

WallTime FromMicros(int64_t micros) { return WallTime(std::chrono::microseconds(micros)); }

google::protobuf::Timestamp TimestampOf(WallTime time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(ToUnixMicros(time));
}

int64_t MicrosOf(const google::protobuf::Timestamp& time) {
  return google::protobuf::util::TimeUtil::TimestampToMicroseconds(time);
}

Project Parse(const SQLite::Column& column) {
  Project project;
  if (!project.ParseFromArray(column.getBlob(), column.getBytes())) {
    throw SQLite::Exception("a project's row is damaged", SQLITE_CORRUPT);
  }
  return project;
}

std::optional<Project> ParseIfAny(const SQLite::Statement& row, int column) {
  if (row.isColumnNull(column)) return std::nullopt;
  return Parse(row.getColumn(column));
}

// The bytes that it takes.
int64_t BindBlob(SQLite::Statement& statement, int index, const Project* project) {
  if (project == nullptr) {
    statement.bind(index);
    return 0;
  }
  const std::string bytes = project->SerializeAsString();
  statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
  return static_cast<int64_t>(bytes.size());
}

}  // namespace

std::string ProjectName(const std::string& id) { return fmt::format("{}{}", kNamePrefix, id); }

std::string ProjectId(const std::string& name) {
  CULVERT_CHECK(name.starts_with(kNamePrefix));
  return name.substr(kNamePrefix.size());
}

bool ProjectTable::Has(const std::string& id) {
  return database_.Finds("SELECT 1 FROM projects WHERE name = ?", id);
}

std::optional<Project> ProjectTable::Find(const std::string& id) {
  SQLite::Statement row = database_.Prepare("SELECT body FROM projects WHERE name = ?", id);
  if (!row.executeStep()) return std::nullopt;
  return Parse(row.getColumn(0));
}

int64_t ProjectTable::Count() {
  SQLite::Statement row = database_.Prepare("SELECT count(*) FROM projects");
  row.executeStep();
  return row.getColumn(0).getInt64();
}

void ProjectTable::Scan(const ProjectRange& range, absl::FunctionRef<bool(Project)> visit) {
  const std::string comparison =
      fmt::format("{}{}", range.backwards ? "<" : ">", range.including_from ? "=" : "");
  const char* way = range.backwards ? "DESC" : "ASC";
  const char* time = TimeColumn(range.index);
  const std::string order =
      time == nullptr ? fmt::format("name {}", way) : fmt::format("{} {}, name {}", time, way, way);
  Conditions conditions;
  AddFrom(range, comparison, &conditions);
  AddBounds(range, &conditions);
  SQLite::Statement row =
      database_.Prepare(fmt::format("SELECT body FROM projects {} ORDER BY {} LIMIT {}",
                                    conditions.Where(), order, range.most)
                            .c_str());
  conditions.Bind(row);
  while (row.executeStep()) {
    if (!visit(Parse(row.getColumn(0)))) return;
  }
}

int64_t ProjectTable::CountBefore(const ProjectRange& range) {
  if (!range.from) return 0;
  const std::string comparison =
      fmt::format("{}{}", range.backwards ? ">" : "<", range.including_from ? "" : "=");
  Conditions conditions;
  AddFrom(range, comparison, &conditions);
  SQLite::Statement row = database_.Prepare(
      fmt::format("SELECT count(*) FROM projects {}", conditions.Where()).c_str());
  conditions.Bind(row);
  row.executeStep();
  return row.getColumn(0).getInt64();
}

void ProjectTable::Put(const Project& project, bool is_new, int64_t created_millis) {
  const goten::types::Meta& metadata = project.metadata();
  SQLite::Statement statement = database_.Prepare(
      is_new ? "INSERT INTO projects (body, created_us, updated_us, name, created) "
               "VALUES (?, ?, ?, ?, ?)"
             : "UPDATE projects SET body = ?, created_us = ?, updated_us = ? WHERE name = ?");
  BindBlob(statement, 1, &project);
  statement.bind(2, MicrosOf(metadata.create_time()));
  statement.bind(3, MicrosOf(metadata.update_time()));
  statement.bind(4, ProjectId(project));
  if (is_new) statement.bind(5, created_millis);
  CULVERT_CHECK(statement.exec() == 1);
}

void ProjectTable::Insert(Project& project, WallTime now) {
  goten::types::Meta& metadata = *project.mutable_metadata();
  *metadata.mutable_create_time() = TimestampOf(now);
  *metadata.mutable_update_time() = TimestampOf(now);
  metadata.set_uuid(crypto::RandomUuid());
  metadata.set_generation(1);
  metadata.set_resource_version(std::to_string(NextVersion()));
  Put(project, /*is_new=*/true, ToUnixMillis(now));
  Log(nullptr, &project, now);
}

void ProjectTable::Replace(const Project& before, Project& after, bool is_new_spec, WallTime now) {
  CULVERT_CHECK(before.name() == after.name());
  goten::types::Meta& metadata = *after.mutable_metadata();
  *metadata.mutable_create_time() = before.metadata().create_time();
  *metadata.mutable_update_time() = TimestampOf(now);
  metadata.set_uuid(before.metadata().uuid());
  metadata.set_generation(before.metadata().generation() + (is_new_spec ? 1 : 0));
  metadata.set_resource_version(std::to_string(NextVersion()));
  Put(after, /*is_new=*/false, 0);
  Log(&before, &after, now);
}

void ProjectTable::Remove(const Project& before, WallTime now) {
  NextVersion();
  CULVERT_CHECK(database_.Execute("DELETE FROM projects WHERE name = ?", ProjectId(before)) == 1);
  Log(&before, nullptr, now);
}

void ProjectTable::AdoptOld(WallTime now) {
  std::vector<std::pair<std::string, WallTime>> old;
  SQLite::Statement row =
      database_.Prepare("SELECT name, created FROM projects WHERE created_us = 0 AND body = x''");
  while (row.executeStep()) old.emplace_back(TextAt(row, 0), TimeAt(row, 1));
  row.reset();
  for (const auto& [id, created] : old) {
    Project project;
    project.set_name(ProjectName(id));
    project.mutable_multi_region_policy();
    goten::types::Meta& metadata = *project.mutable_metadata();
    *metadata.mutable_create_time() = TimestampOf(created);
    *metadata.mutable_update_time() = TimestampOf(created);
    metadata.set_uuid(crypto::RandomUuid());
    metadata.set_generation(1);
    metadata.set_resource_version(std::to_string(NextVersion()));
    Put(project, /*is_new=*/false, 0);
    Log(nullptr, &project, now);
  }
}

int64_t ProjectTable::NextVersion() {
  SQLite::Statement row = database_.Prepare(
      "UPDATE project_version SET version = version + 1 WHERE id = 0 RETURNING version");
  row.executeStep();
  return row.getColumn(0).getInt64();
}

// Of the version that was drawn last.
void ProjectTable::Log(const Project* before, const Project* after, WallTime now) {
  SQLite::Statement statement = database_.Prepare(
      "INSERT INTO project_changes (version, changed_us, before, after) "
      "SELECT version, ?, ?, ? FROM project_version");
  statement.bind(1, ToUnixMicros(now));
  const int64_t bytes = BindBlob(statement, 2, before) + BindBlob(statement, 3, after);
  CULVERT_CHECK(statement.exec() == 1);
  database_.Execute("UPDATE project_version SET log_bytes = log_bytes + ?", bytes);
}

std::string ProjectTable::TokenKey() {
  SQLite::Statement row = database_.Prepare("SELECT token_key FROM project_version");
  row.executeStep();
  return row.getColumn(0).getString();
}

int64_t ProjectTable::Version() {
  SQLite::Statement row = database_.Prepare("SELECT version FROM project_version");
  row.executeStep();
  return row.getColumn(0).getInt64();
}

int64_t ProjectTable::TrimmedVersion() {
  SQLite::Statement row = database_.Prepare("SELECT trimmed FROM project_version");
  row.executeStep();
  return row.getColumn(0).getInt64();
}

std::vector<ProjectChange> ProjectTable::ChangesAfter(int64_t version, size_t most,
                                                      size_t most_bytes) {
  return Changes("ASC", version, most, most_bytes);
}

std::vector<ProjectChange> ProjectTable::LatestChanges(int64_t version, size_t most,
                                                       size_t most_bytes) {
  std::vector<ProjectChange> changes = Changes("DESC", version, most, most_bytes);
  std::reverse(changes.begin(), changes.end());
  return changes;
}

std::vector<ProjectChange> ProjectTable::Changes(const char* order, int64_t version, size_t most,
                                                 size_t most_bytes) {
  SQLite::Statement row = database_.Prepare(
      fmt::format("SELECT version, changed_us, before, after FROM project_changes "
                  "WHERE version > ? ORDER BY version {} LIMIT ?",
                  order)
          .c_str(),
      version, static_cast<int64_t>(most));
  std::vector<ProjectChange> changes;
  for (size_t bytes = 0; bytes < most_bytes && row.executeStep();) {
    bytes += static_cast<size_t>(row.getColumn(2).getBytes() + row.getColumn(3).getBytes());
    changes.push_back({row.getColumn(0).getInt64(), FromMicros(row.getColumn(1).getInt64()),
                       ParseIfAny(row, 2), ParseIfAny(row, 3)});
  }
  return changes;
}

// The clock may have been set back meanwhile: of several answers the earliest, so that nothing is
// left out.
int64_t ProjectTable::VersionBefore(WallTime time) {
  SQLite::Statement row = database_.Prepare(
      "SELECT min(version) - 1 FROM project_changes WHERE changed_us >= ?", ToUnixMicros(time));
  row.executeStep();
  return row.isColumnNull(0) ? Version() : row.getColumn(0).getInt64();
}

void ProjectTable::Trim(int64_t kept, int64_t most, int64_t kept_bytes) {
  SQLite::Statement row =
      database_.Prepare("SELECT version, trimmed, log_bytes FROM project_version");
  row.executeStep();
  const int64_t version = row.getColumn(0).getInt64();
  const int64_t trimmed = row.getColumn(1).getInt64();
  const bool is_large = row.getColumn(2).getInt64() > kept_bytes;
  row.reset();
  const int64_t until = std::min(is_large ? version : version - kept, trimmed + most);
  if (until <= trimmed) return;
  database_.Execute(
      "UPDATE project_version SET trimmed = ?, log_bytes = log_bytes - (SELECT coalesce(sum("
      "coalesce(length(before), 0) + coalesce(length(after), 0)), 0) FROM project_changes "
      "WHERE version <= ?)",
      until, until);
  database_.Execute("DELETE FROM project_changes WHERE version <= ?", until);
}

}  // namespace culvert::store
