#include "store/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/glob.h"
#include "base/log.h"
#include "base/resource_id.h"
#include "base/status.h"

namespace culvert::store {
namespace {

constexpr std::string_view kTcp = "tcp";
constexpr size_t kMaxTargetGlobBytes = 512;

std::string IndexOf(const std::string& project, SubjectKind kind, const std::string& name) {
  return fmt::format("{}/{}/{}", project, SubjectKindName(kind), name);
}

SubjectKind KindOf(Role role) {
  switch (role) {
    case Role::kAgent:
      return SubjectKind::kAgent;
    case Role::kUser:
      return SubjectKind::kUser;
    case Role::kServiceAccount:
      break;
  }
  return SubjectKind::kServiceAccount;
}

bool IsOwnAgent(const Principal& principal, const Request& request) {
  const bool serves =
      request.permission == Permission::kListen || request.permission == Permission::kAccept;
  return serves && principal.role == Role::kAgent && request.agent == principal.name;
}

Decision Denied(const Principal& principal, const Request& request) {
  std::string what(PermissionVerb(request.permission));
  if (request.of_all_projects) what += " projects that are not its own";
  for (const std::string_view part : {request.agent, request.service, request.arg}) {
    if (!part.empty()) what += fmt::format(" {}", Printable(part));
  }
  return {false, fmt::format("no rule allows {} to {}", principal.ToString(), what)};
}

absl::Status CheckTarget(const Rule& rule) {
  if (rule.target.empty()) return absl::OkStatus();
  if (rule.service == "*") {
    return absl::InvalidArgumentError("a target needs a service: say which, such as tcp");
  }
  if (rule.service == kTcp) {
    return Annotate(TargetPattern::Parse(rule.target).status(),
                    fmt::format("target \"{}\"", Printable(rule.target)));
  }
  if (rule.target.size() <= kMaxTargetGlobBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("a target has at most {} bytes", kMaxTargetGlobBytes));
}

}  // namespace

std::string_view SubjectKindName(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::kUser:
      return "user";
    case SubjectKind::kAgent:
      return "agent";
    case SubjectKind::kServiceAccount:
      return "service_account";
    case SubjectKind::kKey:
      return "key";
    case SubjectKind::kGroup:
      return "group";
  }
  return "";
}

absl::StatusOr<SubjectKind> ParseSubjectKind(std::string_view text) {
  using enum SubjectKind;
  for (const SubjectKind kind : {kUser, kAgent, kServiceAccount, kKey, kGroup}) {
    if (SubjectKindName(kind) == text) return kind;
  }
  return absl::InvalidArgumentError(
      fmt::format("\"{}\": expected user, agent, service_account, key or group", Printable(text)));
}

std::string Subject::ToString() const { return fmt::format("{} {}", SubjectKindName(kind), name); }

std::string Rule::ToString() const {
  std::string text =
      fmt::format("{} role {} agent '{}' service '{}'", subject.ToString(), role, agent, service);
  if (!target.empty()) text += fmt::format(" target '{}'", Printable(target));
  return text;
}

absl::Status CheckSubject(const Subject& subject) {
  if (subject.kind == SubjectKind::kKey) return CheckKeyId(subject.name);
  return CheckId(SubjectKindName(subject.kind), subject.name);
}

absl::Status CheckRule(const Rule& rule) {
  CULVERT_RETURN_IF_ERROR(CheckId("project", rule.project));
  CULVERT_RETURN_IF_ERROR(CheckSubject(rule.subject));
  CULVERT_RETURN_IF_ERROR(CheckId("role", rule.role));
  if (!IsNameGlob(rule.agent)) {
    return absl::InvalidArgumentError(
        fmt::format("agent \"{}\": expected a name, in which '*' stands for any bytes and '?' for "
                    "one",
                    Printable(rule.agent)));
  }
  if (rule.service != "*") CULVERT_RETURN_IF_ERROR(CheckId("service", rule.service));
  return CheckTarget(rule);
}

Policy::Policy(const Content& content) {
  std::unordered_map<std::string, RoleDefinition> roles;
  for (const RoleDefinition& role : content.roles) roles.emplace(role.name, role);
  for (const RoleDefinition& role : BuiltInRoles()) roles[role.name] = role;
  for (const Rule& rule : content.rules) Add(rule, roles[rule.role]);
  for (const Group& group : content.groups) {
    for (const Subject& member : group.members) {
      groups_[IndexOf(group.project, member.kind, member.name)].push_back(
          IndexOf(group.project, SubjectKind::kGroup, group.name));
    }
  }
}

void Policy::Add(const Rule& rule, const RoleDefinition& role) {
  Compiled compiled{rule, role.permissions, role.all_projects};
  if (rule.service == kTcp && !rule.target.empty()) {
    absl::StatusOr<TargetPattern> target = TargetPattern::Parse(rule.target);
    // Was checked when it was stored; what cannot be read allows nothing.
    if (!target.ok()) {
      CULVERT_LOG(kError, "[policy] rule left out: {}: {}", rule.ToString(),
                  MessageOf(target.status()));
      return;
    }
    compiled.target = *std::move(target);
  }
  rules_[IndexOf(rule.project, rule.subject.kind, rule.subject.name)].push_back(
      std::move(compiled));
}

bool Policy::Compiled::AllowsArg(const Request& request) const {
  if (rule.service != "*" && rule.service != request.service) return false;
  if (rule.target.empty()) return true;
  if (!target) return GlobMatches(rule.target, request.arg);
  const absl::StatusOr<Target> asked = ParseTarget(request.arg);
  return asked.ok() && target->Matches(*asked);
}

bool Policy::Compiled::Allows(const Request& request) const {
  return Has(permissions, request.permission) && (all_projects || !request.of_all_projects) &&
         GlobMatches(rule.agent, request.agent) &&
         (request.permission != Permission::kConnect || AllowsArg(request));
}

const Rule* Policy::Find(const Principal& principal,
                         absl::FunctionRef<bool(const Compiled&)> matches) const {
  std::vector<std::string> subjects = {
      IndexOf(principal.project, KindOf(principal.role), principal.name),
      IndexOf(principal.project, SubjectKind::kKey, principal.key_id)};
  for (size_t i = 0; i < 2; ++i) {
    const auto found = groups_.find(subjects[i]);
    if (found == groups_.end()) continue;
    subjects.insert(subjects.end(), found->second.begin(), found->second.end());
  }
  for (const std::string& subject : subjects) {
    const auto found = rules_.find(subject);
    if (found == rules_.end()) continue;
    for (const Compiled& compiled : found->second) {
      if (matches(compiled)) return &compiled.rule;
    }
  }
  return nullptr;
}

Decision Policy::Evaluate(const Principal& principal, const Request& request) const {
  if (IsOwnAgent(principal, request)) return {true, "its own name"};
  const Rule* const rule =
      Find(principal, [&request](const Compiled& compiled) { return compiled.Allows(request); });
  return rule != nullptr ? Decision{true, rule->ToString()} : Denied(principal, request);
}

bool Policy::MaySee(const Principal& principal, std::string_view agent) const {
  return Find(principal, [agent](const Compiled& compiled) {
           return !compiled.all_projects &&
                  (Has(compiled.permissions, Permission::kConnect) ||
                   Has(compiled.permissions, Permission::kList)) &&
                  GlobMatches(compiled.rule.agent, agent);
         }) != nullptr;
}

}  // namespace culvert::store
