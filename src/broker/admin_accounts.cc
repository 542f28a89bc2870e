// Service accounts, for administrators.
#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "broker/admin_commands.h"
#include "broker/pki.h"
#include "crypto/jwk.h"

namespace culvert::broker {
namespace {

constexpr size_t kMostKeyBytes = size_t{16} * 1024;

std::string SpiffeIdOf(const std::string& project, const std::string& name) {
  using crypto::SpiffeId;
  return SpiffeId{kTrustDomain, project, SpiffeId::Role::kServiceAccount, name}.ToString();
}

// PEM, or a JWK.
absl::StatusOr<crypto::Jwk> ParseKey(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '{') return crypto::Jwk::FromJson(text);
  CULVERT_ASSIGN_OR_RETURN(crypto::JwsKey key, crypto::JwsKey::FromPem(text));
  return crypto::Jwk{std::move(key), ""};
}

}  // namespace

absl::StatusOr<AdminOutcome> AddServiceAccount(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_ASSIGN_OR_RETURN(const std::string name, call.args.TakeText("name"));
  CULVERT_ASSIGN_OR_RETURN(const std::string text,
                           call.args.TakeLongText("public_key", kMostKeyBytes));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  const absl::StatusOr<crypto::Jwk> jwk = ParseKey(text);
  if (!jwk.ok()) return Annotate(jwk.status(), "public-key");
  CULVERT_ASSIGN_OR_RETURN(const crypto::Jwk known,
                           call.store.service_accounts().Add(project, name, *jwk, call.now));
  AuditEvent event = AdminEvent(call, AuditKind::kAdmin, project,
                                fmt::format("service account {} has key {}", name, known.id));
  return AdminOutcome{{{"spiffe_id", SpiffeIdOf(project, name)}, {"kid", known.id}},
                      AdminChange::kJwts,
                      std::move(event)};
}

absl::StatusOr<AdminOutcome> RemoveServiceAccount(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_ASSIGN_OR_RETURN(const std::string name, call.args.TakeText("name"));
  const std::string kid = call.args.TakeTextOr("kid", "");
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  if (!kid.empty()) {
    CULVERT_RETURN_IF_ERROR(call.store.service_accounts().Remove(project, name, kid));
    return AdminOutcome{Json::object(), AdminChange::kJwts,
                        AdminEvent(call, AuditKind::kAdmin, project,
                                   fmt::format("key {} of service account {} removed", kid, name))};
  }
  CULVERT_ASSIGN_OR_RETURN(const std::vector<std::string> keys,
                           call.store.RemoveServiceAccount(project, name, call.now));
  std::string what = fmt::format("service account {} removed", name);
  if (!keys.empty()) what += fmt::format(", keys of its logins revoked: {}", keys.size());
  return AdminOutcome{{{"keys", keys}},
                      AdminChange::kJwts,
                      AdminEvent(call, AuditKind::kAdmin, project, std::move(what))};
}

absl::StatusOr<AdminOutcome> ListServiceAccounts(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const auto keys, call.store.service_accounts().List(project));
  Json list = Json::array();
  for (const store::ServiceAccountKey& key : keys) {
    list.push_back({{"name", key.name},
                    {"project", key.project},
                    {"kid", key.jwk.id},
                    {"algorithm", crypto::JwsAlgorithmName(key.jwk.key.algorithm())},
                    {"created", FormatTime(key.created)},
                    {"spiffe_id", SpiffeIdOf(key.project, key.name)}});
  }
  return AdminOutcome{std::move(list)};
}

}  // namespace culvert::broker
