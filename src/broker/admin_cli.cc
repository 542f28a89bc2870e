#include "broker/admin_cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/admin_client.h"
#include "broker/admin_files.h"
#include "broker/admin_print.h"
#include "broker/audit_reader.h"
#include "broker/ca_cli.h"
#include "broker/program_name.h"
#include "config/main.h"
#include "store/permission.h"

namespace culvert::broker {
namespace {

// What is printed at once.
constexpr size_t kChunkBytes = size_t{64} * 1024;

Json SubjectJson(const config::AdminSubject& subject) {
  return {{"kind", subject.kind}, {"name", subject.name}};
}

Json RuleArgs(const config::AdminCommand& command) {
  Json args = {{"project", command.project},
               {"subject", SubjectJson(command.subjects.front())},
               {"role", command.role},
               {"agent", command.agent},
               {"service", command.service}};
  if (!command.target.empty()) args["target"] = command.target;
  return args;
}

Json GroupArgs(const config::AdminCommand& command) {
  Json members = Json::array();
  for (const config::AdminSubject& subject : command.subjects) {
    members.push_back(SubjectJson(subject));
  }
  return {{"project", command.project}, {"name", command.operand}, {"members", members}};
}

Json TokenArgs(const config::AdminCommand& command) {
  const auto ttl = std::chrono::duration_cast<std::chrono::milliseconds>(command.ttl);
  return {{"project", command.project},
          {"role", command.subjects.front().kind},
          {"name", command.subjects.front().name},
          {"ttl_ms", ttl.count()}};
}

// What is no number is sent as it is: whoever does it says what was expected.
Json IdFrom(const std::string& text) {
  int64_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || stopped != end) return text;
  return id;
}

Json RevokeArgs(const config::AdminCommand& command) {
  Json args = {{"project", command.project}, {"subject", SubjectJson(command.subjects.front())}};
  if (!command.reason.empty()) args["reason"] = command.reason;
  if (command.successors) args["successors"] = true;
  return args;
}

Json IssuerArgs(const config::AdminCommand& command) {
  return {{"project", command.project},
          {"issuer", command.operand},
          {"audiences", command.audiences},
          {"claim", command.claim},
          {"jwks", command.jwks}};
}

Json ServiceAccountArgs(const config::AdminCommand& command) {
  Json args = {{"project", command.project}, {"name", command.operand}};
  if (!command.kid.empty()) args["kid"] = command.kid;
  return args;
}

Json QuotaArgs(const config::AdminCommand& command) {
  Json args = {{"project", command.all_others ? store::QuotaTable::kDefault : command.project}};
  for (const auto& [name, limit] : command.limits) {
    if (limit) {
      args[name] = *limit;
    } else {
      args[name] = "unlimited";
    }
  }
  return args;
}

Json ArgsOf(const config::AdminCommand& command) {
  const std::string& name = command.name;
  if (name == "token create") return TokenArgs(command);
  if (name == "token revoke") return {{"id", IdFrom(command.operand)}};
  if (name == "policy allow" || name == "policy revoke") return RuleArgs(command);
  if (name == "group add" || name == "group remove") return GroupArgs(command);
  if (name == "role add" || name == "role remove") {
    return {{"name", command.operand}, {"permissions", command.permissions}};
  }
  if (name == "quota set" || name == "quota clear") return QuotaArgs(command);
  if (name == "role list" || name == "issuer list" || name == "ca requests" ||
      name == "quota list") {
    return Json::object();
  }
  if (name == "issuer add") return IssuerArgs(command);
  if (name == "issuer remove") return {{"issuer", command.operand}};
  if (name == "service-account add" || name == "service-account remove") {
    return ServiceAccountArgs(command);
  }
  if (name == "channels kill") return {{"id", command.operand}};
  if (name == "revoke") return RevokeArgs(command);
  if (name == "unrevoke") return {{"key", command.subjects.front().name}};
  return {{"project", command.project}};  // the other lists
}

// Of a role of the administrator's own this is not known here.
bool RoleMayConnect(const std::string& role) {
  const std::vector<store::RoleDefinition>& known = store::BuiltInRoles();
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&role](const auto& one) { return one.name == role; });
  return found == known.end() ||
         found->permissions.test(static_cast<size_t>(store::Permission::kConnect));
}

void WarnOfEveryTarget(const config::AdminCommand& command) {
  const bool gives_targets =
      command.name == "policy allow" && command.target.empty() && RoleMayConnect(command.role);
  if (!gives_targets || (command.service != "tcp" && command.service != "*")) return;
  std::fprintf(stderr,
               "%s: warning: without --target this allows every target that the agents allow\n",
               kProgram);
}

absl::Status RunRequest(const config::BrokerConfig& config) {
  Json request = AdminRequest(config.admin);
  CULVERT_RETURN_IF_ERROR(AttachFiles(config.admin, request));
  CULVERT_ASSIGN_OR_RETURN(const Json result,
                           CallAdmin(config.common.state_dir, config.audit_file(), request,
                                     ThisAdministrator(), config.ca_cert));
  WarnOfEveryTarget(config.admin);
  return config::PrintResult(
      DescribeResult(config.admin.name, result, config.json ? Format::kJson : Format::kText));
}

absl::StatusOr<AuditQuery> QueryOf(const config::AdminCommand& command) {
  AuditQuery query;
  const WallTime now = WallNow();
  query.since = command.since.Resolve(now);
  query.until = command.until.Resolve(now);
  for (const config::AdminSubject& subject : command.subjects) {
    (subject.kind == "user" ? query.user : query.agent) = subject.name;
  }
  if (!command.kind.empty()) {
    const absl::StatusOr<AuditKind> kind = ParseAuditKind(command.kind);
    if (!kind.ok())
      return Annotate(kind.status(), fmt::format("--kind \"{}\"", Printable(command.kind)));
    query.kind = *kind;
  }
  return query;
}

absl::Status RunAudit(const config::BrokerConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const AuditQuery query, QueryOf(config.admin));
  std::string text;
  const absl::Status read =
      ReadAudit(config.audit_file(), query, [&](std::string_view line) -> absl::Status {
        text += config.json ? std::string(line) : DescribeAuditLine(line);
        text += '\n';
        if (text.size() < kChunkBytes) return absl::OkStatus();
        return config::PrintResult(std::exchange(text, ""));
      });
  CULVERT_RETURN_IF_ERROR(read);
  return config::PrintResult(text);
}

}  // namespace

Json AdminRequest(const config::AdminCommand& command) {
  return {{"command", command.name}, {"args", ArgsOf(command)}};
}

int RunAdmin(const config::BrokerConfig& config) {
  SetLogLevel(config.common.log_level);
  const absl::Status done = config.admin.name == "audit" ? RunAudit(config)
                            : IsCaCommand(config.admin)  ? RunCaCommand(config)
                                                         : RunRequest(config);
  if (done.ok()) return 0;
  config::PrintError(kProgram, done);
  return absl::IsInvalidArgument(done) ? config::kExitUsage : config::kExitFailure;
}

}  // namespace culvert::broker
