#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/admin_commands.h"
#include "broker/pki.h"
#include "broker/signing.h"
#include "crypto/certificate_request.h"

namespace culvert::broker {
namespace {

constexpr size_t kMostCertificate = size_t{16} * 1024;  // PEM

absl::StatusOr<AdminOutcome> Imported(AdminCall& call, const SigningSubject& subject,
                                      const crypto::Certificate& certificate) {
  const std::string& key = certificate.public_key().id();
  AuditEvent event = AdminEvent(call, AuditKind::kAdmin, subject.project,
                                "certificate imported: " + subject.ToString());
  event.key = key;
  return AdminOutcome{
      {{"for", subject.ToString()}, {"key", key}}, AdminChange::kNone, std::move(event)};
}

absl::StatusOr<AdminOutcome> ImportForBroker(AdminCall& call,
                                             const crypto::Certificate& certificate,
                                             const crypto::Certificate& authority) {
  CULVERT_ASSIGN_OR_RETURN(const std::optional<crypto::PrivateKey> key,
                           FindKeyToSign(call.state_dir, call.now));
  if (!key || !(key->public_key() == certificate.public_key())) {
    return absl::NotFoundError(
        fmt::format("no request of key {} waits", certificate.public_key().id()));
  }
  CULVERT_RETURN_IF_ERROR(
      CheckSignedForBroker(certificate, key->public_key(), authority, call.now));
  CULVERT_RETURN_IF_ERROR(WriteServerCertificate(call.state_dir, certificate, authority));
  return Imported(call, {"broker"}, certificate);
}

}  // namespace

absl::StatusOr<AdminOutcome> ListSigningRequests(AdminCall& call) {
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  Json list = Json::array();
  CULVERT_ASSIGN_OR_RETURN(const std::optional<crypto::PrivateKey> own,
                           FindKeyToSign(call.state_dir, call.now));
  if (own) {
    list.push_back(BrokerRequestJson(own->public_key().id(), crypto::MakeCertificateRequest(*own)));
  }
  CULVERT_ASSIGN_OR_RETURN(const auto requests, call.store.signing_requests().Waiting());
  for (const store::SigningRequest& request : requests) list.push_back(SigningRequestJson(request));
  return AdminOutcome{std::move(list)};
}

absl::StatusOr<AdminOutcome> ImportCertificate(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const std::string pem,
                           call.args.TakeText("certificate", kMostCertificate));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_ASSIGN_OR_RETURN(const crypto::Certificate certificate,
                           crypto::Certificate::FromPem(pem));
  CULVERT_ASSIGN_OR_RETURN(const crypto::Certificate authority, ReadAuthority(call.state_dir));
  const std::string& key = certificate.public_key().id();
  CULVERT_ASSIGN_OR_RETURN(const std::optional<store::SigningRequest> request,
                           call.store.signing_requests().Find(key));
  if (!request) return ImportForBroker(call, certificate, authority);
  CULVERT_RETURN_IF_ERROR(CheckSigned(certificate, *request, authority, call.now));
  if (call.store.revocations().IsRevoked(key)) {
    return absl::PermissionDeniedError(fmt::format("key {} is revoked", key));
  }
  const store::Principal& who = request->principal;
  // On record before anybody can have it, so that it can be revoked by name.
  CULVERT_RETURN_IF_ERROR(
      call.store.principals().Record(who, certificate.serial(), certificate.not_after(), call.now));
  CULVERT_RETURN_IF_ERROR(call.store.signing_requests().Sign(key, certificate.Pem()));
  return Imported(call, {std::string(store::RoleName(who.role)), who.project, who.name},
                  certificate);
}

}  // namespace culvert::broker
