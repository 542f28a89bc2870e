#include "broker/store_records.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/pki.h"
#include "crypto/enrolment_token.h"

namespace culvert::broker {
namespace {

store::Principal ToStore(const Principal& who) { return store::Principal::From(who.id, who.key); }

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

void StoreRecords::NoteIssued(const crypto::Certificate& certificate) {
  if (!certificate.spiffe_id()) return;
  const auto who = store::Principal::From(*certificate.spiffe_id(), certificate.public_key().id());
  const absl::Status recorded =
      store_.principals().Record(who, certificate.serial(), certificate.not_after(), clock_());
  if (!recorded.ok()) {
    CULVERT_LOG(kError, "certificate of {} not recorded: {}", who.ToString(), MessageOf(recorded));
  }
}

absl::Status StoreRecords::NoteLogin(const crypto::Certificate& certificate) {
  const auto who = store::Principal::From(*certificate.spiffe_id(), certificate.public_key().id());
  return store_.principals().Record(who, certificate.serial(), certificate.not_after(), clock_(),
                                    store::PrincipalTable::By::kLogin);
}

absl::Status StoreRecords::MayRenew(const Principal& who) const {
  CULVERT_ASSIGN_OR_RETURN(const bool by_login, store_.principals().IsByLogin(ToStore(who)));
  if (!by_login) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "a certificate of a login is not renewed: log in again with culvert login");
}

absl::Status StoreRecords::CheckNotRevoked(const std::string& key) const {
  if (!store_.revocations().IsRevoked(key)) return absl::OkStatus();
  return absl::UnauthenticatedError(fmt::format("key {} is revoked", key));
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
