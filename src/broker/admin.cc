#include "broker/admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/admin_commands.h"

namespace culvert::broker {
namespace {

struct NamedCommand {
  std::string_view name;
  AdminCommand run;
};

constexpr std::array<NamedCommand, 28> kCommands = {{
    {"token create", CreateToken},
    {"token list", ListTokens},
    {"token revoke", RevokeToken},
    {"policy allow", AllowRule},
    {"policy revoke", RevokeRule},
    {"policy list", ListRules},
    {"group add", AddToGroup},
    {"group remove", RemoveFromGroup},
    {"group list", ListGroups},
    {"role add", AddToRole},
    {"role remove", RemoveFromRole},
    {"role list", ListRoles},
    {"quota set", SetQuota},
    {"quota clear", ClearQuota},
    {"quota list", ListQuotas},
    {"principal list", ListPrincipals},
    {"revoke", RevokeKeys},
    {"unrevoke", UnrevokeKey},
    {"ca requests", ListSigningRequests},
    {"ca import", ImportCertificate},
    {"issuer add", AddIssuer},
    {"issuer remove", RemoveIssuer},
    {"issuer list", ListIssuers},
    {"service-account add", AddServiceAccount},
    {"service-account remove", RemoveServiceAccount},
    {"service-account list", ListServiceAccounts},
    {"channels list", ListChannels},
    {"channels kill", KillChannel},
}};

absl::StatusOr<AdminCommand> CommandOf(const Json& request) {
  const bool has_form = request.is_object() && request.size() == 2 && request.contains("command") &&
                        request.contains("args") && request["command"].is_string();
  if (!has_form) return absl::InvalidArgumentError("expected a command and its args");
  const auto name = request["command"].get<std::string>();
  const auto* const found =
      std::find_if(kCommands.begin(), kCommands.end(),
                   [&name](const NamedCommand& one) { return one.name == name; });
  if (found != kCommands.end()) return found->run;
  return absl::InvalidArgumentError(
      fmt::format("unknown command \"{}\": the broker may be of another version", Printable(name)));
}

std::string Dump(const Json& answer) {
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusCode CodeOf(const std::string& name) {
  for (int i = 1; i <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++i) {
    const auto code = static_cast<absl::StatusCode>(i);
    if (absl::StatusCodeToString(code) == name) return code;
  }
  return absl::StatusCode::kUnknown;
}

}  // namespace

absl::StatusOr<Json> Admin::Handle(const Json& request, const Administrator& who, WallTime now) {
  CULVERT_ASSIGN_OR_RETURN(const AdminCommand run, CommandOf(request));
  AdminCall call{store_,
                 AdminArgs(request["args"]),
                 who,
                 now,
                 actions_.ca_fingerprint,
                 actions_.state_dir,
                 actions_.channels,
                 actions_.quota_use};
  CULVERT_ASSIGN_OR_RETURN(AdminOutcome outcome, run(call));
  if (outcome.event) actions_.audit(*outcome.event);
  if (outcome.change != AdminChange::kNone) actions_.on_change(outcome.change);
  return std::move(outcome.result);
}

std::string Admin::HandleLine(std::string_view line, const Administrator& who, WallTime now) {
  const Json request = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  const absl::StatusOr<Json> result = request.is_discarded()
                                          ? absl::InvalidArgumentError("the request is not JSON")
                                          : Handle(request, who, now);
  if (result.ok()) return Dump({{"result", *result}});
  return Dump({{"error",
                {{"code", absl::StatusCodeToString(result.status().code())},
                 {"message", std::string(MessageOf(result.status()))}}}});
}

absl::StatusOr<Json> ReadAdminAnswer(std::string_view line) {
  Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (answer.is_object() && answer.contains("result")) return std::move(answer["result"]);
  const auto error = answer.is_object() ? answer.find("error") : answer.end();
  if (!answer.is_object() || error == answer.end() || !error->is_object()) {
    return absl::InternalError("the broker's answer cannot be read");
  }
  return MakeStatus(CodeOf(error->value("code", "")), error->value("message", ""));
}

std::string TakeProject(AdminCall& call) {
  return call.args.TakeTextOr("project", store::kDefaultProject);
}

AuditEvent AdminEvent(const AdminCall& call, AuditKind kind, const std::string& project,
                      std::string reason) {
  AuditEvent event;
  event.kind = kind;
  event.project = project;
  event.principal = call.who.name;
  event.reason = std::move(reason);
  return event;
}

}  // namespace culvert::broker
