#include "sdk/login.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/certificate_request.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/codec.h"
#include "sdk/broker_query.h"
#include "sdk/enrolment.h"
#include "sdk/pending_key.h"

namespace culvert {
namespace {

// A broker that first has to read the issuer's keys says UNAVAILABLE meanwhile, for up to 5 s.
constexpr int kTries = 5;
constexpr std::chrono::milliseconds kPause(1'500);

struct Trust {
  rpc::Credentials credentials;
  std::string fingerprint;
};

absl::StatusOr<Trust> TrustOf(const LoginRequest& request,
                              const std::optional<crypto::Identity>& present) {
  if (request.authority) {
    return Trust{rpc::Credentials::ForAuthority(*request.authority),
                 request.authority->Fingerprint()};
  }
  if (!request.authority_fingerprint.empty()) {
    return Trust{rpc::Credentials::ForEnrolment(request.authority_fingerprint),
                 request.authority_fingerprint};
  }
  if (present) {
    return Trust{rpc::Credentials::ForAuthority(present->authority),
                 present->authority.Fingerprint()};
  }
  return absl::FailedPreconditionError(
      "which broker is the right one? give --ca-fingerprint, as culvert-broker serve prints it, or "
      "--ca-cert");
}

absl::StatusOr<Bytes> AskAgain(const BrokerQuery& query) {
  absl::StatusOr<Bytes> answer = AskBroker(query);
  for (int tries = 1; tries < kTries && absl::IsUnavailable(answer.status()); ++tries) {
    std::this_thread::sleep_for(kPause);
    answer = AskBroker(query);
  }
  return answer;
}

absl::StatusOr<std::optional<crypto::Identity>> Present(const std::string& state_dir) {
  absl::StatusOr<crypto::Identity> present = crypto::LoadIdentity(state_dir);
  if (absl::IsNotFound(present.status())) return std::nullopt;
  if (!present.ok()) return present.status();
  return *std::move(present);
}

}  // namespace

absl::StatusOr<crypto::Identity> Login(const LoginRequest& request) {
  CULVERT_ASSIGN_OR_RETURN(const std::optional<crypto::Identity> present,
                           Present(request.state_dir));
  CULVERT_ASSIGN_OR_RETURN(const Trust trust, TrustOf(request, present));
  const bool same_key = present && !request.replace;
  crypto::PrivateKey key = same_key ? present->key : crypto::PrivateKey::Generate();
  culvert::v1::LoginRequest message;
  message.set_jwt(request.jwt);
  message.set_certificate_request(crypto::MakeCertificateRequest(key));
  // Without it the broker would take the present key for that of whomever the JWT names.
  if (same_key) message.set_spiffe_id(present->spiffe_id().ToString());
  BrokerQuery query;
  query.brokers = request.brokers;
  query.credentials = trust.credentials;
  query.method = rpc::Method::kLogin;
  query.request = rpc::FrameOf(message);
  CULVERT_ASSIGN_OR_RETURN(const Bytes answer, AskAgain(query));
  CULVERT_ASSIGN_OR_RETURN(std::optional<crypto::Identity> certified,
                           ReadCertificateAnswer(answer, std::move(key), trust.fingerprint));
  if (!certified) return absl::InternalError("answer of the broker has no certificate");
  crypto::Identity& identity = *certified;
  if (same_key && identity.spiffe_id() != present->spiffe_id()) {
    return absl::AlreadyExistsError(
        fmt::format("{} holds the identity of {}, and the JWT is that of {} (--force replaces it)",
                    Printable(request.state_dir), present->spiffe_id().ToString(),
                    identity.spiffe_id().ToString()));
  }
  CULVERT_RETURN_IF_ERROR(ForgetRenewingKey(request.state_dir));
  CULVERT_RETURN_IF_ERROR(crypto::SaveIdentity(request.state_dir, identity));
  return std::move(identity);
}

}  // namespace culvert
