#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "broker/admin_commands.h"

namespace culvert::broker {
namespace {

absl::StatusOr<store::Rule> TakeRule(AdminCall& call) {
  store::Rule rule;
  rule.project = TakeProject(call);
  CULVERT_ASSIGN_OR_RETURN(rule.subject, call.args.TakeSubject("subject"));
  rule.role = call.args.TakeTextOr("role", "connect");
  rule.agent = call.args.TakeTextOr("agent", "*");
  rule.service = call.args.TakeTextOr("service", "*");
  rule.target = call.args.TakeTextOr("target", "");
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  return rule;
}

absl::StatusOr<store::Group> TakeGroup(AdminCall& call) {
  store::Group group;
  group.project = TakeProject(call);
  CULVERT_ASSIGN_OR_RETURN(group.name, call.args.TakeText("name"));
  CULVERT_ASSIGN_OR_RETURN(group.members, call.args.TakeSubjects("members"));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  return group;
}

absl::StatusOr<store::RoleDefinition> TakeRole(AdminCall& call) {
  store::RoleDefinition role;
  CULVERT_ASSIGN_OR_RETURN(role.name, call.args.TakeText("name"));
  CULVERT_ASSIGN_OR_RETURN(role.permissions, call.args.TakePermissions("permissions"));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  return role;
}

Json SubjectJson(const store::Subject& subject) {
  return {{"kind", store::SubjectKindName(subject.kind)}, {"name", subject.name}};
}

// The target is left out where every target is meant.
Json RuleJson(const store::StoredRule& stored) {
  const store::Rule& rule = stored.rule;
  Json json = {{"project", rule.project},
               {"subject", SubjectJson(rule.subject)},
               {"role", rule.role},
               {"agent", rule.agent},
               {"service", rule.service}};
  if (!rule.target.empty()) json["target"] = rule.target;
  json["created"] = FormatTime(stored.created);
  json["created_by"] = stored.created_by;
  return json;
}

std::string Members(const store::Group& group) {
  std::string text;
  for (const store::Subject& member : group.members) {
    text += (text.empty() ? "" : ", ") + member.ToString();
  }
  return text.empty() ? "group " + group.name : fmt::format("group {}: {}", group.name, text);
}

AdminOutcome PolicyOutcome(const AdminCall& call, const std::string& project, std::string what,
                           Json result = Json::object()) {
  return {std::move(result), AdminChange::kPolicy,
          AdminEvent(call, AuditKind::kPolicy, project, std::move(what))};
}

}  // namespace

absl::StatusOr<AdminOutcome> AllowRule(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const store::Rule rule, TakeRule(call));
  CULVERT_ASSIGN_OR_RETURN(const store::Change change,
                           call.store.policy().Allow(rule, call.who.name, call.now));
  const bool made = change == store::Change::kMade;
  if (!made) return AdminOutcome{{{"made", false}}};
  return PolicyOutcome(call, rule.project, "allowed: " + rule.ToString(), {{"made", true}});
}

absl::StatusOr<AdminOutcome> RevokeRule(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const store::Rule rule, TakeRule(call));
  CULVERT_RETURN_IF_ERROR(call.store.policy().Revoke(rule));
  return PolicyOutcome(call, rule.project, "revoked: " + rule.ToString());
}

absl::StatusOr<AdminOutcome> ListRules(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const auto rules, call.store.policy().ListRules(project));
  Json list = Json::array();
  for (const store::StoredRule& rule : rules) list.push_back(RuleJson(rule));
  return AdminOutcome{std::move(list)};
}

absl::StatusOr<AdminOutcome> AddToGroup(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const store::Group group, TakeGroup(call));
  CULVERT_RETURN_IF_ERROR(call.store.policy().AddToGroup(group));
  return PolicyOutcome(call, group.project, "added: " + Members(group));
}

absl::StatusOr<AdminOutcome> RemoveFromGroup(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const store::Group group, TakeGroup(call));
  CULVERT_RETURN_IF_ERROR(call.store.policy().RemoveFromGroup(group));
  return PolicyOutcome(call, group.project, "removed: " + Members(group));
}

absl::StatusOr<AdminOutcome> ListGroups(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const auto groups, call.store.policy().ListGroups(project));
  Json list = Json::array();
  for (const store::Group& group : groups) {
    Json members = Json::array();
    for (const store::Subject& member : group.members) members.push_back(SubjectJson(member));
    list.push_back({{"project", group.project}, {"name", group.name}, {"members", members}});
  }
  return AdminOutcome{std::move(list)};
}

absl::StatusOr<AdminOutcome> AddToRole(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const store::RoleDefinition role, TakeRole(call));
  CULVERT_RETURN_IF_ERROR(call.store.policy().AddToRole(role));
  return PolicyOutcome(call, "", fmt::format("role {} added to", role.name));
}

absl::StatusOr<AdminOutcome> RemoveFromRole(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const store::RoleDefinition role, TakeRole(call));
  CULVERT_RETURN_IF_ERROR(call.store.policy().RemoveFromRole(role));
  return PolicyOutcome(call, "", fmt::format("role {} removed from", role.name));
}

absl::StatusOr<AdminOutcome> ListRoles(AdminCall& call) {
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const auto roles, call.store.policy().ListRoles());
  Json list = Json::array();
  for (const store::RoleDefinition& role : roles) {
    Json permissions = Json::array();
    for (const store::Permission permission : store::PermissionsIn(role.permissions)) {
      permissions.push_back(store::PermissionName(permission));
    }
    list.push_back({{"name", role.name},
                    {"built_in", store::IsBuiltInRole(role.name)},
                    {"permissions", permissions}});
  }
  return AdminOutcome{std::move(list)};
}

}  // namespace culvert::broker
