#include "sdk/enrolment.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/certificate_request.h"
#include "crypto/enrolment_token.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/codec.h"
#include "sdk/broker_query.h"
#include "sdk/pending_key.h"

namespace culvert {
namespace {

absl::Status CheckFree(const EnrolmentRequest& request) {
  const absl::StatusOr<crypto::Identity> present = crypto::LoadIdentity(request.state_dir);
  if (absl::IsNotFound(present.status()) || request.replace) return absl::OkStatus();
  if (!present.ok()) return present.status();
  return absl::AlreadyExistsError(
      fmt::format("{} holds an identity already: {} (--force replaces it)",
                  Printable(request.state_dir), present->spiffe_id().ToString()));
}

}  // namespace

absl::StatusOr<std::optional<crypto::Identity>> ReadCertificateAnswer(
    const Bytes& answer, crypto::PrivateKey key, const std::string& fingerprint) {
  culvert::v1::CertificateResponse response;
  if (!response.ParseFromArray(answer.data(), static_cast<int>(answer.size()))) {
    return absl::InternalError("answer of the broker does not parse");
  }
  CULVERT_ASSIGN_OR_RETURN(crypto::Certificate authority,
                           crypto::Certificate::FromPem(response.authority()));
  if (authority.Fingerprint() != fingerprint) {
    return absl::UnauthenticatedError(
        "the broker answers with another authority than the one that is trusted");
  }
  if (response.certificate().empty()) return std::optional<crypto::Identity>();
  CULVERT_ASSIGN_OR_RETURN(crypto::Certificate certificate,
                           crypto::Certificate::FromPem(response.certificate()));
  CULVERT_RETURN_IF_ERROR(certificate.CheckIssuedBy(authority, crypto::Usage::kClient,
                                                    std::chrono::system_clock::now()));
  CULVERT_ASSIGN_OR_RETURN(
      crypto::Identity identity,
      crypto::Identity::FromParts(std::move(key), std::move(certificate), std::move(authority)));
  return std::optional<crypto::Identity>(std::move(identity));
}

absl::StatusOr<crypto::Certified> Enroll(const EnrolmentRequest& request) {
  CULVERT_ASSIGN_OR_RETURN(const crypto::EnrolmentToken token,
                           crypto::EnrolmentToken::Parse(request.token));
  CULVERT_RETURN_IF_ERROR(CheckFree(request));
  CULVERT_ASSIGN_OR_RETURN(const crypto::PrivateKey key,
                           EnrollingKey(request.state_dir, request.token));
  culvert::v1::EnrollRequest message;
  message.set_token(request.token);
  message.set_certificate_request(crypto::MakeCertificateRequest(key));
  message.set_role(std::string(crypto::RoleName(request.role)));
  BrokerQuery query;
  query.brokers = request.brokers;
  query.credentials = rpc::Credentials::ForEnrolment(token.ca_fingerprint);
  query.method = rpc::Method::kEnroll;
  query.request = rpc::FrameOf(message);
  CULVERT_ASSIGN_OR_RETURN(const Bytes answer, AskBroker(query));
  CULVERT_ASSIGN_OR_RETURN(std::optional<crypto::Identity> identity,
                           ReadCertificateAnswer(answer, key, token.ca_fingerprint));
  if (identity) {
    CULVERT_RETURN_IF_ERROR(ForgetRenewingKey(request.state_dir));
    CULVERT_RETURN_IF_ERROR(crypto::SaveIdentity(request.state_dir, *identity));
    const absl::Status forgotten = ForgetEnrollingKey(request.state_dir);
    if (!forgotten.ok()) CULVERT_LOG(kWarning, "{}", MessageOf(forgotten));
  }
  return crypto::Certified{key.public_key(), std::move(identity)};
}

}  // namespace culvert
