#include "broker/identity_calls.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/status.h"
#include "crypto/certificate_request.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/codec.h"
#include "rpc/key_rotation_message.h"

namespace culvert::broker {
namespace {

// Either way: clocks differ.
constexpr std::chrono::minutes kMostRotationAge(5);

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

}  // namespace

absl::StatusOr<IdentityCalls::Issued> IdentityCalls::Issue(const crypto::SpiffeId& id,
                                                           const Request& request,
                                                           crypto::WallTime now) {
  std::optional<crypto::Certificate> certificate;
  if (pki_.signs()) {
    CULVERT_ASSIGN_OR_RETURN(certificate, pki_.Issue(id, request.key, now));
  } else {
    CULVERT_ASSIGN_OR_RETURN(certificate,
                             records_.AwaitSigning(id, request.key, request.pem, request.present));
  }
  if (certificate) CULVERT_RETURN_IF_ERROR(records_.NoteIssued(*certificate));
  return AnswerWith(certificate);
}

IdentityCalls::Issued IdentityCalls::AnswerWith(
    const std::optional<crypto::Certificate>& certificate) const {
  v1::CertificateResponse response;
  response.set_authority(pki_.authority().Pem());
  Issued issued;
  if (certificate) {
    response.set_certificate(certificate->Pem());
    issued.to = {*certificate->spiffe_id(), certificate->public_key().id()};
  }
  issued.answer = rpc::FrameOf(response);
  return issued;
}

absl::StatusOr<IdentityCalls::Issued> IdentityCalls::Enroll(const Bytes& message,
                                                            crypto::WallTime now) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<v1::EnrollRequest>(message));
  // The request first: a token must not be lost to a key that cannot be used.
  CULVERT_ASSIGN_OR_RETURN(const crypto::PublicKey key,
                           crypto::ReadCertificateRequest(request.certificate_request()));
  CULVERT_ASSIGN_OR_RETURN(const crypto::SpiffeId::Role role, ReadRole(request.role()));
  CULVERT_ASSIGN_OR_RETURN(const crypto::SpiffeId id,
                           records_.Redeem(request.token(), key.id(), role));
  return Issue(id, {request.certificate_request(), key}, now);
}

absl::StatusOr<IdentityCalls::Issued> IdentityCalls::Login(const Bytes& message,
                                                           crypto::WallTime now) {
  if (jwts_ == nullptr) return absl::UnimplementedError("nobody can log in here");
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<v1::LoginRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(const Principal who, jwts_->Identify(request.jwt(), now));
  if (!request.spiffe_id().empty() && request.spiffe_id() != who.id.ToString()) {
    return absl::FailedPreconditionError(
        fmt::format("the JWT is that of {}, and the identity to renew that of somebody else "
                    "(--force replaces it)",
                    who.id.ToString()));
  }
  CULVERT_ASSIGN_OR_RETURN(const crypto::PublicKey key,
                           crypto::ReadCertificateRequest(request.certificate_request()));
  CULVERT_RETURN_IF_ERROR(records_.CheckNotRevoked(key.id()));
  CULVERT_RETURN_IF_ERROR(CheckRate(who.id));
  CULVERT_ASSIGN_OR_RETURN(const crypto::Certificate certificate,
                           pki_.Issue(who.id, key, now, kLoginLife));
  // Without a record it could be renewed for ever.
  CULVERT_RETURN_IF_ERROR(records_.NoteLogin(certificate));
  return AnswerWith(certificate);
}

absl::StatusOr<IdentityCalls::Issued> IdentityCalls::Renew(const Principal& who,
                                                           const rpc::StreamInfo& info,
                                                           const Bytes& message,
                                                           crypto::WallTime now) {
  if (who.token) return absl::PermissionDeniedError("a JWT has no certificate to renew");
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<v1::RenewRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(const crypto::PublicKey key,
                           crypto::ReadCertificateRequest(request.certificate_request()));
  CULVERT_RETURN_IF_ERROR(records_.MayRenew(who));
  CULVERT_RETURN_IF_ERROR(CheckRate(who.id));
  if (request.has_rotation()) {
    CULVERT_RETURN_IF_ERROR(TakeRotation(who, key, rpc::KeyRotationOf(request.rotation()), now));
  } else if (key.id() != who.key) {
    return absl::PermissionDeniedError("the request is for another key than the connection's");
  }
  CULVERT_ASSIGN_OR_RETURN(crypto::Certificate present,
                           crypto::Certificate::FromPem(info.certificate));
  return Issue(who.id, {request.certificate_request(), key, std::move(present)}, now);
}

absl::Status IdentityCalls::CheckRate(const crypto::SpiffeId& id) {
  const MonotonicTime now = clock_();
  TokenBucket& bucket = rates_.For(id.ToString(), now);
  if (bucket.Take(now)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("too many certificates for {} {}: try again in {:.0f} s",
                  crypto::RoleName(id.role), id.name, std::ceil(ToSeconds(bucket.Wait(now)))));
}

absl::Status IdentityCalls::TakeRotation(const Principal& who, const crypto::PublicKey& new_key,
                                         const crypto::KeyRotation& rotation,
                                         crypto::WallTime now) {
  CULVERT_ASSIGN_OR_RETURN(const crypto::KeySuccession keys,
                           crypto::CheckKeyRotation(rotation, who.id));
  if (keys.old_key.id() != who.key) {
    return absl::PermissionDeniedError("the key rotation is another key's than the connection's");
  }
  if (!(keys.new_key == new_key)) {
    return absl::PermissionDeniedError("the key rotation is for another key than the request");
  }
  if (rotation.time < ToUnixSeconds(now - kMostRotationAge) ||
      rotation.time > ToUnixSeconds(now + kMostRotationAge)) {
    // Not FAILED_PRECONDITION: that ends the renewals of an identity for good, and clocks are set.
    return absl::OutOfRangeError("the time of the key rotation is not the broker's: set the clock");
  }
  if (!records_.CheckNotRevoked(new_key.id()).ok()) {
    return absl::PermissionDeniedError(fmt::format("the new key {} is revoked", new_key.id()));
  }
  return records_.KeepRotation(rotation, keys);
}

absl::StatusOr<rpc::Frame> IdentityCalls::KeyRotations(const crypto::SpiffeId& agent) const {
  CULVERT_ASSIGN_OR_RETURN(const auto rotations, records_.RotationsOf(agent));
  v1::KeyRotationsResponse response;
  for (const crypto::KeyRotation& rotation : rotations) {
    *response.add_rotations() = rpc::KeyRotationMessage(rotation);
  }
  return rpc::FrameOf(response);
}

absl::StatusOr<rpc::Frame> IdentityCalls::WhoAmI(const Principal& who,
                                                 const rpc::StreamInfo& info) const {
  v1::WhoAmIResponse response;
  if (who.token) {
    response.set_not_after(ToUnixSeconds(who.token->expires));
  } else {
    CULVERT_ASSIGN_OR_RETURN(const crypto::Certificate certificate,
                             crypto::Certificate::FromPem(info.certificate));
    response.set_not_after(ToUnixSeconds(certificate.not_after()));
  }
  response.set_spiffe_id(who.id.ToString());
  response.set_key_thumbprint(who.key);
  response.set_address(info.endpoint());
  response.set_region(region_);
  return rpc::FrameOf(response);
}

}  // namespace culvert::broker
