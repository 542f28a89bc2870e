#include "sdk/renewal.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/certificate_request.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/codec.h"
#include "rpc/key_rotation_message.h"
#include "sdk/broker_query.h"
#include "sdk/pending_key.h"

namespace culvert {
namespace {

using crypto::Identity;
using crypto::PrivateKey;

bool AreOfOne(const Identity& a, const Identity& b) {
  return a.spiffe_id() == b.spiffe_id() && a.authority == b.authority;
}

}  // namespace

absl::StatusOr<PrivateKey> NextKey(const Identity& present, const std::string& state_dir,
                                   KeyChoice choice) {
  if (choice == KeyChoice::kSame) return present.key;
  return RenewingKey(state_dir, present.key.public_key());
}

rpc::Frame RenewRequestFrame(const Identity& present, const PrivateKey& next,
                             crypto::WallTime now) {
  culvert::v1::RenewRequest request;
  request.set_certificate_request(crypto::MakeCertificateRequest(next));
  if (!(next.public_key() == present.key.public_key())) {
    *request.mutable_rotation() = rpc::KeyRotationMessage(
        crypto::SignKeyRotation(present.key, next.public_key(), present.spiffe_id(), now));
  }
  return rpc::FrameOf(request);
}

absl::StatusOr<std::optional<Identity>> ReadRenewed(const Bytes& answer, const Identity& present,
                                                    const PrivateKey& next) {
  culvert::v1::CertificateResponse response;
  if (!response.ParseFromArray(answer.data(), static_cast<int>(answer.size()))) {
    return absl::InternalError("answer of the broker does not parse");
  }
  if (response.certificate().empty()) return std::optional<Identity>();
  CULVERT_ASSIGN_OR_RETURN(crypto::Certificate certificate,
                           crypto::Certificate::FromPem(response.certificate()));
  // The authority that is trusted stays the one of the enrolment.
  CULVERT_RETURN_IF_ERROR(
      certificate.CheckIssuedBy(present.authority, crypto::Usage::kClient, WallNow()));
  if (certificate.spiffe_id() != present.certificate.spiffe_id()) {
    return absl::InternalError("the broker has issued a certificate for somebody else");
  }
  CULVERT_ASSIGN_OR_RETURN(Identity renewed,
                           Identity::FromParts(next, std::move(certificate), present.authority));
  return std::optional<Identity>(std::move(renewed));
}

std::optional<Identity> FindSuccessor(const std::string& state_dir, const Identity& present,
                                      crypto::WallTime now) {
  absl::StatusOr<Identity> there = crypto::LoadIdentity(state_dir);
  const bool succeeds = there.ok() && !(there->certificate == present.certificate) &&
                        AreOfOne(*there, present) && there->certificate.CheckValidAt(now).ok() &&
                        now < crypto::RenewAt(there->certificate);
  if (!succeeds) return std::nullopt;
  return *std::move(there);
}

absl::StatusOr<Identity> KeepRenewed(const std::string& state_dir, const Identity& present,
                                     const Identity& renewed) {
  if (std::optional<Identity> other = FindSuccessor(state_dir, present, WallNow())) {
    return *std::move(other);
  }
  const absl::StatusOr<Identity> there = crypto::LoadIdentity(state_dir);
  if (there.ok() && !AreOfOne(*there, present)) {
    return absl::AbortedError(
        fmt::format("{} holds the identity of somebody else by now", Printable(state_dir)));
  }
  CULVERT_RETURN_IF_ERROR(crypto::SaveIdentity(state_dir, renewed));
  if (!(renewed.key.public_key() == present.key.public_key())) {
    const absl::Status forgotten = ForgetRenewingKey(state_dir);
    if (!forgotten.ok()) CULVERT_LOG(kWarning, "{}", MessageOf(forgotten));
  }
  return renewed;
}

absl::StatusOr<crypto::Certified> RenewNow(const std::string& state_dir,
                                           const std::vector<std::string>& brokers,
                                           KeyChoice choice) {
  CULVERT_ASSIGN_OR_RETURN(const Identity present, crypto::LoadIdentity(state_dir));
  CULVERT_ASSIGN_OR_RETURN(const PrivateKey next, NextKey(present, state_dir, choice));
  BrokerQuery query;
  query.brokers = brokers;
  query.credentials = rpc::Credentials::ForIdentity(present);
  query.method = rpc::Method::kRenew;
  query.request = RenewRequestFrame(present, next, WallNow());
  const absl::StatusOr<Bytes> answer = AskBroker(query);
  if (!answer.ok()) {
    ForgetIfRefused(state_dir, next.public_key(), answer.status());
    return answer.status();
  }
  CULVERT_ASSIGN_OR_RETURN(std::optional<Identity> renewed, ReadRenewed(*answer, present, next));
  if (renewed) {
    CULVERT_ASSIGN_OR_RETURN(renewed, KeepRenewed(state_dir, present, *renewed));
  }
  return crypto::Certified{next.public_key(), std::move(renewed)};
}

}  // namespace culvert
