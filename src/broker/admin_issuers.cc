// Issuers of JSON Web Tokens, for administrators.
#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "broker/admin_commands.h"
#include "crypto/jwk.h"

namespace culvert::broker {
namespace {

constexpr size_t kMostAuthoritiesBytes = size_t{256} * 1024;

size_t CountKeys(const std::string& keys) {
  const absl::StatusOr<crypto::JwkSet> set = crypto::JwkSet::FromJson(keys);
  return set.ok() ? set->keys().size() : 0;
}

}  // namespace

absl::StatusOr<AdminOutcome> AddIssuer(AdminCall& call) {
  store::Issuer issuer;
  issuer.project = TakeProject(call);
  CULVERT_ASSIGN_OR_RETURN(issuer.issuer, call.args.TakeText("issuer"));
  CULVERT_ASSIGN_OR_RETURN(issuer.audiences, call.args.TakeTexts("audiences"));
  issuer.claim = call.args.TakeTextOr("claim", issuer.claim);
  CULVERT_ASSIGN_OR_RETURN(issuer.source, call.args.TakeText("jwks"));
  CULVERT_ASSIGN_OR_RETURN(issuer.keys, call.args.TakeLongText("keys", crypto::JwkSet::kMostBytes));
  CULVERT_ASSIGN_OR_RETURN(issuer.authorities,
                           call.args.TakeLongText("authorities", kMostAuthoritiesBytes));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_RETURN_IF_ERROR(call.store.issuers().Set(issuer, call.now));
  AuditEvent event =
      AdminEvent(call, AuditKind::kAdmin, issuer.project,
                 fmt::format("issuer {} added, keys from {}", issuer.issuer, issuer.source));
  return AdminOutcome{Json::object(), AdminChange::kJwts, std::move(event)};
}

absl::StatusOr<AdminOutcome> RemoveIssuer(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const std::string issuer, call.args.TakeText("issuer"));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_RETURN_IF_ERROR(call.store.issuers().Remove(issuer));
  return AdminOutcome{
      Json::object(), AdminChange::kJwts,
      AdminEvent(call, AuditKind::kAdmin, "", fmt::format("issuer {} removed", issuer))};
}

absl::StatusOr<AdminOutcome> ListIssuers(AdminCall& call) {
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const auto issuers, call.store.issuers().List());
  Json list = Json::array();
  for (const store::Issuer& issuer : issuers) {
    list.push_back({{"issuer", issuer.issuer},
                    {"project", issuer.project},
                    {"audiences", issuer.audiences},
                    {"claim", issuer.claim},
                    {"jwks", issuer.source},
                    {"keys", CountKeys(issuer.keys)},
                    {"created", FormatTime(issuer.created)}});
  }
  return AdminOutcome{std::move(list)};
}

}  // namespace culvert::broker
