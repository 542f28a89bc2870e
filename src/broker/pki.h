// The project's authority and the broker's own certificate, in the state directory.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "crypto/certificate_authority.h"

namespace culvert::broker {

// The trust domain of every SPIFFE id that this authority writes (SPIFFE-ID standard §2.1).
inline constexpr char kTrustDomain[] = "culvert.internal";

// Immutable but for the server's certificate; one thread.
class Pki {
 public:
  struct Options {
    std::string state_dir;
    // How long a certificate of an agent or user lives; the broker's own lives as long.
    std::chrono::seconds lifetime = std::chrono::hours(24 * 30);
  };

  // Reads `ca.pem` and `ca-key.pem`, and makes both where neither is there. FAILED_PRECONDITION if
  // what is there cannot be used. Blocks.
  static absl::StatusOr<std::unique_ptr<Pki>> Open(Options options, crypto::WallTime now);

  const crypto::Certificate& authority() const { return authority_.certificate(); }

  // A certificate for one principal: an agent's serves and dials, a user's only dials. At most
  // `lifetime` if it is given, else the option's.
  crypto::Certificate Issue(const crypto::SpiffeId& id, const crypto::PublicKey& key,
                            crypto::WallTime now,
                            std::optional<std::chrono::seconds> lifetime = std::nullopt) const;

  // Makes or renews the broker's certificate if it is time (or another authority's); the two files
  // are what rpc::Credentials::ForServer wants. Blocks.
  absl::Status KeepServerCertificate(crypto::WallTime now);
  std::string server_certificate_file() const { return options_.state_dir + "/server.pem"; }
  std::string server_key_file() const { return options_.state_dir + "/server-key.pem"; }

 private:
  Pki(Options options, crypto::CertificateAuthority authority)
      : options_(std::move(options)), authority_(std::move(authority)) {}
  bool ServerCertificateIsGood(crypto::WallTime now) const;

  const Options options_;
  const crypto::CertificateAuthority authority_;
};

}  // namespace culvert::broker
