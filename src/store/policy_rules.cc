#include <utility>

#include "base/log.h"
#include "store/database.h"
#include "store/policy_table.h"
#include "store/projects.h"

namespace culvert::store {
namespace {

absl::StatusOr<Rule> RuleAt(const SQLite::Statement& row) {
  CULVERT_ASSIGN_OR_RETURN(const SubjectKind kind, ParseSubjectKind(TextAt(row, 1)));
  return Rule{TextAt(row, 0), {kind, TextAt(row, 2)}, TextAt(row, 3),
              TextAt(row, 4), TextAt(row, 5),         TextAt(row, 6)};
}

}  // namespace

absl::StatusOr<std::vector<Rule>> PolicyTable::ReadRules() {
  SQLite::Statement row = database_.Prepare(
      "SELECT project, subject_kind, subject, role, agent, service, target FROM bindings "
      "ORDER BY id");
  std::vector<Rule> rules;
  while (row.executeStep()) {
    CULVERT_ASSIGN_OR_RETURN(Rule rule, RuleAt(row));
    rules.push_back(std::move(rule));
  }
  return rules;
}

absl::Status PolicyTable::CheckSubjectExists(const Rule& rule) {
  // Users and agents may be named before they enrol.
  if (rule.subject.kind != SubjectKind::kGroup) return absl::OkStatus();
  if (database_.Finds("SELECT 1 FROM groups WHERE project = ? AND name = ?", rule.project,
                      rule.subject.name)) {
    return absl::OkStatus();
  }
  return absl::NotFoundError(
      fmt::format("no group \"{}\"; make it with group add", Printable(rule.subject.name)));
}

absl::StatusOr<Change> PolicyTable::Allow(const Rule& rule, const std::string& created_by,
                                          WallTime now) {
  CULVERT_RETURN_IF_ERROR(CheckRule(rule));
  Change change = Change::kAlreadyThere;
  const absl::Status applied = Apply("allow", [&]() -> absl::Status {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, rule.project));
    CULVERT_RETURN_IF_ERROR(CheckSubjectExists(rule));
    CULVERT_RETURN_IF_ERROR(CheckRoleExists(rule.role));
    const int made = database_.Execute(
        "INSERT OR IGNORE INTO bindings (project, subject_kind, subject, role, agent, service, "
        "target, created, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rule.project, std::string(SubjectKindName(rule.subject.kind)), rule.subject.name, rule.role,
        rule.agent, rule.service, rule.target, ToUnixMillis(now), created_by);
    if (made > 0) change = Change::kMade;
    return absl::OkStatus();
  });
  if (!applied.ok()) return applied;
  return change;
}

absl::Status PolicyTable::Revoke(const Rule& rule) {
  CULVERT_RETURN_IF_ERROR(CheckRule(rule));
  return Apply("revoke", [&]() -> absl::Status {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, rule.project));
    const int removed = database_.Execute(
        "DELETE FROM bindings WHERE project = ? AND subject_kind = ? AND subject = ? AND role = ? "
        "AND agent = ? AND service = ? AND target = ?",
        rule.project, std::string(SubjectKindName(rule.subject.kind)), rule.subject.name, rule.role,
        rule.agent, rule.service, rule.target);
    if (removed > 0) return absl::OkStatus();
    return absl::NotFoundError(fmt::format("no such rule: {}; see policy list", rule.ToString()));
  });
}

absl::StatusOr<std::vector<StoredRule>> PolicyTable::ListRules(const std::string& project) {
  using Result = absl::StatusOr<std::vector<StoredRule>>;
  return database_.Read<Result>("list rules", [&]() -> Result {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, project));
    SQLite::Statement row = database_.Prepare(
        "SELECT project, subject_kind, subject, role, agent, service, target, created, created_by "
        "FROM bindings WHERE project = ? ORDER BY id",
        project);
    std::vector<StoredRule> rules;
    while (row.executeStep()) {
      CULVERT_ASSIGN_OR_RETURN(Rule rule, RuleAt(row));
      rules.push_back({std::move(rule), TimeAt(row, 7), TextAt(row, 8)});
    }
    return rules;
  });
}

}  // namespace culvert::store
