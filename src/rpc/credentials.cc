#include "rpc/credentials.h"

#include <fmt/format.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "rpc/grpc_convert.h"

namespace culvert::rpc {
namespace {

namespace tls = grpc::experimental;

constexpr unsigned kReloadSeconds = 1;

// Accepts a broker whose chain leads to the authority of one fingerprint.
class FingerprintVerifier final : public tls::ExternalCertificateVerifier {
 public:
  explicit FingerprintVerifier(std::string fingerprint) : fingerprint_(std::move(fingerprint)) {}

  bool Verify(tls::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* verdict) override {
    const auto dns_names = request->dns_names();
    const bool named = std::any_of(dns_names.begin(), dns_names.end(),
                                   [](const auto& name) { return name == kBrokerName; });
    const auto chain = request->peer_cert_full_chain();
    *verdict = ToGrpc(named ? CheckChain({chain.data(), chain.size()})
                            : absl::UnauthenticatedError("the certificate is not a broker's"));
    return true;
  }
  void Cancel(tls::TlsCustomVerificationCheckRequest*) override {}

 private:
  absl::Status CheckChain(std::string_view chain) const {
    const std::vector<std::string> parts = crypto::SplitPem(chain);
    if (parts.empty()) return absl::UnauthenticatedError("the broker has no certificate");
    CULVERT_ASSIGN_OR_RETURN(const crypto::Certificate leaf,
                             crypto::Certificate::FromPem(parts.front()));
    for (size_t i = 1; i < parts.size(); ++i) {
      const absl::StatusOr<crypto::Certificate> issuer = crypto::Certificate::FromPem(parts[i]);
      if (issuer.ok() && issuer->Fingerprint() == fingerprint_) {
        return leaf.CheckIssuedBy(*issuer, crypto::Usage::kServer,
                                  std::chrono::system_clock::now());
      }
    }
    return absl::UnauthenticatedError(
        "the broker's authority has another fingerprint than the one that was given: wrong broker, "
        "or somebody is in between");
  }

  const std::string fingerprint_;
};

}  // namespace

Credentials Credentials::Insecure() {
  Credentials credentials;
  credentials.client_ = grpc::InsecureChannelCredentials();
  credentials.server_ = grpc::InsecureServerCredentials();
  return credentials;
}

Credentials Credentials::ForIdentity(const crypto::Identity& identity) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = identity.authority.Pem();
  options.pem_private_key = identity.key.Pem();
  options.pem_cert_chain = identity.certificate.Pem();
  Credentials credentials;
  credentials.secure_ = true;
  credentials.client_ = grpc::SslCredentials(options);
  return credentials;
}

Credentials Credentials::ForEnrolment([[maybe_unused]] const std::string& authority_fingerprint) {
  tls::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);  // by the verifier instead: no root is known yet
  options.set_check_call_host(false);
  // The library owns it, which the analyzer does not see.
#ifndef __clang_analyzer__
  options.set_certificate_verifier(
      tls::ExternalCertificateVerifier::Create<FingerprintVerifier>(authority_fingerprint));
#endif
  Credentials credentials;
  credentials.secure_ = true;
  credentials.client_ = tls::TlsCredentials(options);
  return credentials;
}

Credentials Credentials::ForAuthority(const crypto::Certificate& authority) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority.Pem();
  Credentials credentials;
  credentials.secure_ = true;
  credentials.client_ = grpc::SslCredentials(options);
  return credentials;
}

Credentials Credentials::ForServer(const std::string& certificate_file,
                                   const std::string& key_file) {
  tls::TlsServerCredentialsOptions options(std::make_shared<tls::FileWatcherCertificateProvider>(
      key_file, certificate_file, kReloadSeconds));
  options.watch_identity_key_cert_pairs();
  // Checked by the broker, call by call, so that a client hears what is wrong with it.
  options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  Credentials credentials;
  credentials.secure_ = true;
  credentials.server_ = tls::TlsServerCredentials(options);
  return credentials;
}

}  // namespace culvert::rpc
