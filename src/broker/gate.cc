#include "broker/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/pki.h"
#include "crypto/digest.h"

namespace culvert::broker {

using crypto::Certificate;
using crypto::WallTime;

Gate::Gate(Certificate authority, const Records& records, JwtGate* jwts)
    : authority_(std::move(authority)), records_(records), jwts_(jwts) {}

absl::StatusOr<Certificate> Gate::Verify(const std::string& pem, WallTime now) {
  const std::string digest = crypto::Sha256(pem);
  if (const auto found = verified_.find(digest); found != verified_.end()) return found->second;
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(pem);
  if (!certificate.ok()) return absl::UnauthenticatedError("client certificate does not parse");
  // At its own time: whose it is, is worth knowing also where that time is over.
  constexpr auto kUsage = crypto::Usage::kClient;
  const WallTime begin = certificate->not_before();
  if (const absl::Status then = certificate->CheckIssuedBy(authority_, kUsage, begin); !then.ok()) {
    // A signature that is wrong stays wrong, and is not worth another look.
    if (then != certificate->CheckValidFor(authority_, kUsage, begin)) return then;
    CULVERT_RETURN_IF_ERROR(certificate->CheckValidFor(authority_, kUsage, now));
    CULVERT_RETURN_IF_ERROR(certificate->CheckIssuedBy(authority_, kUsage, now));
  }
  if (verified_.size() >= kMostVerified) verified_.clear();
  verified_.emplace(digest, *certificate);
  return certificate;
}

absl::StatusOr<Principal> Gate::Identify(const rpc::StreamInfo& info, WallTime now,
                                         std::optional<Principal>* refused) {
  if (info.certificate.empty() && !info.authorization.empty()) {
    return IdentifyByToken(info.authorization, now);
  }
  if (info.certificate.empty()) {
    return absl::UnauthenticatedError("no client certificate: enrol with a token first");
  }
  CULVERT_ASSIGN_OR_RETURN(const Certificate certificate, Verify(info.certificate, now));
  if (!certificate.spiffe_id() || certificate.spiffe_id()->trust_domain != kTrustDomain) {
    return absl::UnauthenticatedError("the client certificate names nobody here");
  }
  Principal principal{*certificate.spiffe_id(), certificate.public_key().id()};
  absl::Status good = authority_.CheckValidAt(now);
  if (good.ok()) good = certificate.CheckValidAt(now);
  if (good.ok()) good = MayGoOn(principal);
  if (good.ok()) return principal;
  if (refused != nullptr) *refused = std::move(principal);
  return good;
}

absl::StatusOr<Principal> Gate::IdentifyByToken(std::string_view authorization, WallTime now) {
  constexpr std::string_view kScheme = "bearer ";  // in any case (RFC 9110 §11.1)
  const absl::string_view start(authorization.data(),
                                std::min(authorization.size(), kScheme.size()));
  if (jwts_ == nullptr || !absl::EqualsIgnoreCase(start, {kScheme.data(), kScheme.size()})) {
    return absl::UnauthenticatedError("authorization: expected Bearer and a JSON Web Token");
  }
  CULVERT_ASSIGN_OR_RETURN(Principal principal,
                           jwts_->Identify(authorization.substr(kScheme.size()), now));
  CULVERT_RETURN_IF_ERROR(records_.CheckProject(principal.id.project));
  return principal;
}

absl::Status Gate::MayGoOn(const Principal& who) const {
  CULVERT_RETURN_IF_ERROR(records_.CheckProject(who.id.project));
  if (!who.token) CULVERT_RETURN_IF_ERROR(records_.CheckNotRevoked(who.key));
  return jwts_ == nullptr ? absl::OkStatus() : jwts_->MayGoOn(who);
}

absl::Status Gate::MayAttach(const Principal& who, const std::string& project,
                             const std::string& name) const {
  if (name != who.id.name) {
    return absl::PermissionDeniedError(
        fmt::format("the name \"{}\" is not that of {}", Printable(name), who.ToString()));
  }
  if (project != who.project()) {
    return absl::PermissionDeniedError(
        fmt::format("{} is of {}, not of {}", who.ToString(), who.project(), Printable(project)));
  }
  return absl::OkStatus();
}

absl::Status Gate::MayConnect(const OpenChannel& open) const {
  const Principal& who = *open.principal;
  CULVERT_RETURN_IF_ERROR(MayAttach(who, open.provider.project, open.consumer));
  if (who.token && open.end_to_end == culvert::v1::END_TO_END_REQUIRED) {
    return absl::PermissionDeniedError(
        "a JWT has no key to encrypt with: get a certificate with culvert login");
  }
  return records_.MayConnect(who, open);
}

absl::Status Gate::MayProvide(const Principal& who, const ProviderKey& as) const {
  if (!who.is_agent()) {
    return absl::PermissionDeniedError(
        fmt::format("{} is not an agent: only agents offer services", who.ToString()));
  }
  if (as.name != who.id.name || as.project != who.project()) {
    return absl::PermissionDeniedError(fmt::format("{} of {} may not be {}", who.ToString(),
                                                   who.project(), Printable(as.ToString())));
  }
  return absl::OkStatus();
}

absl::Status Gate::MayGoOn(const OpenChannel& open,
                           const std::optional<Principal>& provider) const {
  CULVERT_RETURN_IF_ERROR(MayGoOn(*open.principal));
  if (provider) CULVERT_RETURN_IF_ERROR(MayGoOn(*provider));
  return MayConnect(open);
}

bool Gate::MaySee(const Principal& who, const ProviderKey& provider) const {
  return provider.project == who.project() && records_.MaySee(who, provider);
}

}  // namespace culvert::broker
