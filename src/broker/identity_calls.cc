#include "broker/identity_calls.h"

#include <utility>

#include "base/status.h"
#include "crypto/certificate_request.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/codec.h"

namespace culvert::broker {
namespace {

namespace pb = culvert::v1;

template <typename Message>
absl::StatusOr<Message> Parse(const Bytes& bytes) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("message does not parse");
  }
  return message;
}

absl::StatusOr<crypto::SpiffeId::Role> ReadRole(std::string_view text) {
  using Role = crypto::SpiffeId::Role;
  for (const Role role : {Role::kAgent, Role::kUser}) {
    if (text == crypto::RoleName(role)) return role;
  }
  return absl::InvalidArgumentError("role: expected agent or user");
}

int64_t UnixSeconds(crypto::WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

rpc::Frame IdentityCalls::Issue(const crypto::SpiffeId& id, const crypto::PublicKey& key,
                                crypto::WallTime now) {
  const crypto::Certificate certificate = pki_.Issue(id, key, now);
  records_.NoteIssued(certificate);
  return AnswerWith(certificate);
}

rpc::Frame IdentityCalls::AnswerWith(const crypto::Certificate& certificate) const {
  pb::CertificateResponse response;
  response.set_certificate(certificate.Pem());
  response.set_authority(pki_.authority().Pem());
  return rpc::FrameOf(response);
}

absl::StatusOr<rpc::Frame> IdentityCalls::Enroll(const Bytes& message, crypto::WallTime now) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::EnrollRequest>(message));
  // The request first: a token must not be lost to a key that cannot be used.
  CULVERT_ASSIGN_OR_RETURN(const crypto::PublicKey key,
                           crypto::ReadCertificateRequest(request.certificate_request()));
  CULVERT_ASSIGN_OR_RETURN(const crypto::SpiffeId::Role role, ReadRole(request.role()));
  CULVERT_ASSIGN_OR_RETURN(const crypto::SpiffeId id,
                           records_.Redeem(request.token(), key.id(), role));
  return Issue(id, key, now);
}

absl::StatusOr<rpc::Frame> IdentityCalls::Login(const Bytes& message, crypto::WallTime now) {
  if (jwts_ == nullptr) return absl::UnimplementedError("nobody can log in here");
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::LoginRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(const Principal who, jwts_->Identify(request.jwt(), now));
  CULVERT_ASSIGN_OR_RETURN(const crypto::PublicKey key,
                           crypto::ReadCertificateRequest(request.certificate_request()));
  CULVERT_RETURN_IF_ERROR(records_.CheckNotRevoked(key.id()));
  const crypto::Certificate certificate = pki_.Issue(who.id, key, now, kLoginLife);
  // Without a record it could be renewed for ever.
  CULVERT_RETURN_IF_ERROR(records_.NoteLogin(certificate));
  return AnswerWith(certificate);
}

absl::StatusOr<rpc::Frame> IdentityCalls::Renew(const Principal& who, const rpc::StreamInfo&,
                                                const Bytes& message, crypto::WallTime now) {
  if (who.token) return absl::PermissionDeniedError("a JWT has no certificate to renew");
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::RenewRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(const crypto::PublicKey key,
                           crypto::ReadCertificateRequest(request.certificate_request()));
  if (key.id() != who.key) {
    return absl::PermissionDeniedError("the request is for another key than the connection's");
  }
  CULVERT_RETURN_IF_ERROR(records_.MayRenew(who));
  return Issue(who.id, key, now);
}

absl::StatusOr<rpc::Frame> IdentityCalls::WhoAmI(const Principal& who,
                                                 const rpc::StreamInfo& info) const {
  pb::WhoAmIResponse response;
  if (who.token) {
    response.set_not_after(UnixSeconds(who.token->expires));
  } else {
    CULVERT_ASSIGN_OR_RETURN(const crypto::Certificate certificate,
                             crypto::Certificate::FromPem(info.certificate));
    response.set_not_after(UnixSeconds(certificate.not_after()));
  }
  response.set_spiffe_id(who.id.ToString());
  response.set_key_thumbprint(who.key);
  response.set_address(info.endpoint());
  response.set_region(region_);
  return rpc::FrameOf(response);
}

}  // namespace culvert::broker
