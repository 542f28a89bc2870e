#include <utility>

#include "base/log.h"
#include "store/database.h"
#include "store/policy_table.h"
#include "store/projects.h"

namespace culvert::store {
namespace {

absl::Status CheckGroup(const Group& group) {
  CULVERT_RETURN_IF_ERROR(CheckId("project", group.project));
  CULVERT_RETURN_IF_ERROR(CheckId("group", group.name));
  for (const Subject& member : group.members) {
    CULVERT_RETURN_IF_ERROR(CheckSubject(member));
    if (member.kind == SubjectKind::kGroup) {
      return absl::InvalidArgumentError("a group cannot be in a group");
    }
  }
  return absl::OkStatus();
}

absl::Status NoGroup(const Group& group) {
  return absl::NotFoundError(fmt::format("no group \"{}\"; see group list", group.name));
}

absl::Status RemoveGroup(Database& database, const Group& group) {
  if (database.Finds(
          "SELECT 1 FROM bindings WHERE project = ? AND subject_kind = 'group' AND subject = ?",
          group.project, group.name)) {
    return absl::FailedPreconditionError(
        fmt::format("group \"{}\" has rules: revoke them first; see policy list", group.name));
  }
  const int removed = database.Execute("DELETE FROM groups WHERE project = ? AND name = ?",
                                       group.project, group.name);
  return removed > 0 ? absl::OkStatus() : NoGroup(group);
}

}  // namespace

absl::StatusOr<std::vector<Group>> PolicyTable::ReadGroups() {
  SQLite::Statement row = database_.Prepare(
      "SELECT g.project, g.name, m.kind, m.name FROM groups g LEFT JOIN group_members m "
      "ON m.project = g.project AND m.group_name = g.name ORDER BY g.project, g.name, m.kind, "
      "m.name");
  std::vector<Group> groups;
  while (row.executeStep()) {
    std::string project = TextAt(row, 0);
    std::string name = TextAt(row, 1);
    if (groups.empty() || groups.back().project != project || groups.back().name != name) {
      groups.push_back({std::move(project), std::move(name), {}});
    }
    if (row.isColumnNull(2)) continue;
    CULVERT_ASSIGN_OR_RETURN(const SubjectKind kind, ParseSubjectKind(TextAt(row, 2)));
    groups.back().members.push_back({kind, TextAt(row, 3)});
  }
  return groups;
}

absl::Status PolicyTable::AddToGroup(const Group& added) {
  CULVERT_RETURN_IF_ERROR(CheckGroup(added));
  return Apply("add to group", [&]() -> absl::Status {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, added.project));
    database_.Execute("INSERT OR IGNORE INTO groups VALUES (?, ?)", added.project, added.name);
    for (const Subject& member : added.members) {
      database_.Execute("INSERT OR IGNORE INTO group_members VALUES (?, ?, ?, ?)", added.project,
                        added.name, std::string(SubjectKindName(member.kind)), member.name);
    }
    return absl::OkStatus();
  });
}

absl::Status PolicyTable::RemoveFromGroup(const Group& removed) {
  CULVERT_RETURN_IF_ERROR(CheckGroup(removed));
  return Apply("remove from group", [&]() -> absl::Status {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, removed.project));
    if (removed.members.empty()) return RemoveGroup(database_, removed);
    for (const Subject& member : removed.members) {
      const int gone = database_.Execute(
          "DELETE FROM group_members WHERE project = ? AND group_name = ? AND kind = ? AND "
          "name = ?",
          removed.project, removed.name, std::string(SubjectKindName(member.kind)), member.name);
      if (gone > 0) continue;
      return absl::NotFoundError(fmt::format("{} is not in group \"{}\"; see group list",
                                             member.ToString(), removed.name));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<Group>> PolicyTable::ListGroups(const std::string& project) {
  using Result = absl::StatusOr<std::vector<Group>>;
  return database_.Read<Result>("list groups", [&]() -> Result {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, project));
    CULVERT_ASSIGN_OR_RETURN(std::vector<Group> groups, ReadGroups());
    std::erase_if(groups, [&project](const Group& group) { return group.project != project; });
    return groups;
  });
}

}  // namespace culvert::store
