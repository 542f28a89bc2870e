// Who may do what: the rules of all projects, and the answer to one question.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/target_pattern.h"
#include "store/permission.h"
#include "store/principal.h"

namespace culvert::store {

enum class SubjectKind { kUser, kAgent, kServiceAccount, kKey, kGroup };

// "user", "agent", "service_account", "key", "group".
std::string_view SubjectKindName(SubjectKind kind);
absl::StatusOr<SubjectKind> ParseSubjectKind(std::string_view text);

// Whom a rule is about, or who is in a group. A user's rule is for users of that name only, never
// for an agent or a service account of the same name.
struct Subject {
  SubjectKind kind = SubjectKind::kUser;
  std::string name;

  std::string ToString() const;  // "user alice"
  friend bool operator==(const Subject&, const Subject&) = default;
};

// Gives a subject the permissions of a role, under conditions.
struct Rule {
  std::string project;
  Subject subject;
  std::string role;
  std::string agent = "*";    // a glob of agent names
  std::string service = "*";  // exact, or "*" for every service
  // Of "tcp" a TargetPattern, of another service a glob of its argument. Empty: every target.
  std::string target = {};

  // "user alice role connect agent 'edge-*' service tcp target 10.0.0.1:22"
  std::string ToString() const;
  friend bool operator==(const Rule&, const Rule&) = default;
};

// INVALID_ARGUMENT that says what to do, unless every part has its form.
absl::Status CheckRule(const Rule& rule);
absl::Status CheckSubject(const Subject& subject);

struct Group {
  std::string project;
  std::string name;
  std::vector<Subject> members;  // no groups
};

// What is asked. Agent, service and argument are empty where the permission is about none.
struct Request {
  Permission permission = Permission::kConnect;
  std::string_view agent;
  std::string_view service;
  std::string_view arg;
  bool of_all_projects = false;  // or of one that is not the principal's own
};

struct Decision {
  bool allowed = false;
  std::string reason;  // for the log: the rule that allows, or what no rule allows
};

// Immutable, any thread. Nothing is allowed but what a rule allows, and that an agent listens and
// accepts under its own name. Conditions on service and target count for connect only; a condition
// on the agent counts always, so that only a rule for "*" gives what is about no agent.
class Policy {
 public:
  struct Content {
    std::vector<Rule> rules;
    std::vector<Group> groups;
    std::vector<RoleDefinition> roles;  // beside the built-in ones
  };

  Policy() = default;
  explicit Policy(const Content& content);

  // Costs what the rules of this principal and its groups cost, not those of others.
  Decision Evaluate(const Principal& principal, const Request& request) const;
  // Whether it may connect to something at `agent`, or list it.
  bool MaySee(const Principal& principal, std::string_view agent) const;

 private:
  struct Compiled {
    Rule rule;
    PermissionSet permissions;
    bool all_projects = false;
    std::optional<TargetPattern> target = std::nullopt;  // of tcp

    bool Allows(const Request& request) const;
    bool AllowsArg(const Request& request) const;
  };
  void Add(const Rule& rule, const RoleDefinition& role);
  // The first rule of the principal or its groups that `matches`; null if none does.
  const Rule* Find(const Principal& principal,
                   absl::FunctionRef<bool(const Compiled&)> matches) const;

  // Both by project and subject.
  std::unordered_map<std::string, std::vector<Compiled>> rules_;
  std::unordered_map<std::string, std::vector<std::string>> groups_;  // of a member
};

}  // namespace culvert::store
