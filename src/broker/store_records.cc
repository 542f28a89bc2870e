#include "broker/store_records.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/pki.h"
#include "crypto/enrolment_token.h"
#include "crypto/identity.h"

namespace culvert::broker {
namespace {

store::Principal ToStore(const Principal& who) { return store::Principal::From(who.id, who.key); }

// Of a certificate that Pki issued: it names somebody.
store::Principal PrincipalOf(const crypto::Certificate& certificate) {
  return store::Principal::From(*certificate.spiffe_id(), certificate.public_key().id());
}

}  // namespace

absl::StatusOr<crypto::SpiffeId> StoreRecords::Redeem(const std::string& token,
                                                      const std::string& key,
                                                      crypto::SpiffeId::Role role) {
  const auto parsed = crypto::EnrolmentToken::Parse(token);
  if (!parsed.ok()) return absl::UnauthenticatedError(std::string(MessageOf(parsed.status())));
  CULVERT_ASSIGN_OR_RETURN(
      store::Enrolment enrolment,
      store_.tokens().Use(parsed->secret, key, store::RoleFrom(role), clock_()));
  return crypto::SpiffeId{kTrustDomain, std::move(enrolment.project), role,
                          std::move(enrolment.name)};
}

absl::Status StoreRecords::NoteIssued(const crypto::Certificate& certificate) {
  return store_.principals().Record(PrincipalOf(certificate), certificate.serial(),
                                    certificate.not_after(), clock_());
}

absl::StatusOr<std::optional<crypto::Certificate>> StoreRecords::AwaitSigning(
    const crypto::SpiffeId& id, const crypto::PublicKey& key, const std::string& request,
    const std::optional<crypto::Certificate>& present) {
  const auto who = store::Principal::From(id, key.id());
  CULVERT_ASSIGN_OR_RETURN(const std::optional<store::SigningRequest> found,
                           store_.signing_requests().Find(key.id()));
  const WallTime now = clock_();
  if (found && found->principal == who) {
    if (found->certificate.empty()) return std::nullopt;
    CULVERT_ASSIGN_OR_RETURN(crypto::Certificate certificate,
                             crypto::Certificate::FromPem(found->certificate));
    // One that the key has already, or that is due itself, was for an earlier request.
    if (now < crypto::RenewAt(certificate) && !(present && *present == certificate)) {
      return std::optional<crypto::Certificate>(std::move(certificate));
    }
  }
  CULVERT_RETURN_IF_ERROR(store_.signing_requests().Add(who, request, now));
  CULVERT_LOG(kInfo, "a certificate of {}, key {}, waits to be signed: culvert-broker ca requests",
              who.ToString(), who.key_id);
  return std::nullopt;
}

absl::Status StoreRecords::NoteLogin(const crypto::Certificate& certificate) {
  return store_.principals().Record(PrincipalOf(certificate), certificate.serial(),
                                    certificate.not_after(), clock_(),
                                    store::PrincipalTable::By::kLogin);
}

absl::Status StoreRecords::MayRenew(const Principal& who) const {
  using By = store::PrincipalTable::By;
  const absl::StatusOr<By> how = store_.principals().HowRecorded(ToStore(who));
  if (absl::IsNotFound(how.status())) {
    return absl::FailedPreconditionError("this broker has no record of the key: enrol again");
  }
  if (!how.ok()) return how.status();
  if (*how == By::kToken) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "a certificate of a login is not renewed: log in again with culvert login");
}

absl::Status StoreRecords::CheckNotRevoked(const std::string& key) const {
  if (!store_.revocations().IsRevoked(key)) return absl::OkStatus();
  return absl::UnauthenticatedError(fmt::format("key {} is revoked", key));
}

absl::Status StoreRecords::CheckProject(const std::string& project) const {
  if (store_.HasProject(project)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("projects/{} does not exist: it was deleted", project));
}

absl::Status StoreRecords::MayConnect(const Principal& who, const OpenChannel& open) const {
  const store::Decision decision = store_.policy().current()->Evaluate(
      ToStore(who), {store::Permission::kConnect, open.provider.name, open.service, open.arg});
  return decision.allowed ? absl::OkStatus() : absl::PermissionDeniedError(decision.reason);
}

bool StoreRecords::MaySee(const Principal& who, const ProviderKey& provider) const {
  return store_.policy().current()->MaySee(ToStore(who), provider.name);
}

}  // namespace culvert::broker
