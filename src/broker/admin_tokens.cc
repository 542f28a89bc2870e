#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "broker/admin_commands.h"
#include "crypto/enrolment_token.h"

namespace culvert::broker {
namespace {

constexpr int64_t kMaxTtlMillis = int64_t{365} * 24 * 3600 * 1000;

Json TokenJson(const store::Token& token, WallTime now) {
  const char* const state = token.used ? "used" : token.expires <= now ? "expired" : "unused";
  Json json = {{"id", token.id},
               {"role", store::RoleName(token.enrolment.role)},
               {"name", token.enrolment.name},
               {"project", token.enrolment.project},
               {"state", state},
               {"created", FormatTime(token.created)},
               {"expires", FormatTime(token.expires)}};
  if (token.used) {
    json["used"] = FormatTime(*token.used);
    json["used_by"] = token.used_by;
  }
  return json;
}

absl::StatusOr<store::Enrolment> TakeEnrolment(AdminCall& call) {
  store::Enrolment enrolment;
  enrolment.project = TakeProject(call);
  CULVERT_ASSIGN_OR_RETURN(const std::string role, call.args.TakeText("role"));
  CULVERT_ASSIGN_OR_RETURN(enrolment.role, store::ParseRole(role));
  CULVERT_ASSIGN_OR_RETURN(enrolment.name, call.args.TakeText("name"));
  return enrolment;
}

}  // namespace

absl::StatusOr<AdminOutcome> CreateToken(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const store::Enrolment enrolment, TakeEnrolment(call));
  CULVERT_ASSIGN_OR_RETURN(const int64_t ttl, call.args.TakeInteger("ttl_ms"));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  if (ttl <= 0 || ttl > kMaxTtlMillis) {
    return absl::InvalidArgumentError("ttl: expected more than nothing and at most a year");
  }
  // First: a token without it would be of no use.
  CULVERT_ASSIGN_OR_RETURN(const std::string fingerprint, call.ca_fingerprint());
  const WallTime expires = call.now + std::chrono::milliseconds(ttl);
  CULVERT_ASSIGN_OR_RETURN(const store::NewToken token,
                           call.store.tokens().Create(enrolment, expires, call.now));
  const crypto::EnrolmentToken text{token.secret, fingerprint};
  AuditEvent event = AdminEvent(call, AuditKind::kToken, enrolment.project,
                                fmt::format("token {} made for {} {}", token.id,
                                            store::RoleName(enrolment.role), enrolment.name));
  return AdminOutcome{
      {{"id", token.id}, {"token", text.ToString()}, {"expires", FormatTime(expires)}},
      AdminChange::kTokens,
      std::move(event)};
}

absl::StatusOr<AdminOutcome> ListTokens(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const auto tokens, call.store.tokens().List(project));
  Json list = Json::array();
  for (const store::Token& token : tokens) list.push_back(TokenJson(token, call.now));
  return AdminOutcome{std::move(list)};
}

absl::StatusOr<AdminOutcome> RevokeToken(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const int64_t id, call.args.TakeInteger("id"));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_RETURN_IF_ERROR(call.store.tokens().Revoke(id));
  return AdminOutcome{Json::object(), AdminChange::kTokens,
                      AdminEvent(call, AuditKind::kToken, "", fmt::format("token {} revoked", id))};
}

}  // namespace culvert::broker
