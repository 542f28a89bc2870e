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

// How long a certificate of an agent or user lives; the broker's own lives as long.
inline constexpr std::chrono::seconds kCertificateLife = std::chrono::hours(24 * 30);

// What the certificate of a principal says: an agent's serves and dials, a user's only dials.
crypto::CertificateContent PrincipalContent(const crypto::SpiffeId& id, crypto::WallTime now,
                                            std::chrono::seconds lifetime);
// And that of a broker.
crypto::CertificateContent BrokerContent(crypto::WallTime now, std::chrono::seconds lifetime);

// The authority with its key, `ca.pem` and `ca-key.pem` in `directory`. ALREADY_EXISTS if one of
// them is there. Blocks.
absl::StatusOr<crypto::CertificateAuthority> CreateAuthority(const std::string& directory,
                                                             crypto::WallTime now);
// NOT_FOUND if there is none. Blocks.
absl::StatusOr<crypto::CertificateAuthority> LoadAuthority(const std::string& directory);

// Immutable but for the server's certificate; one thread.
class Pki {
 public:
  struct Options {
    std::string state_dir;
    std::chrono::seconds lifetime = kCertificateLife;
    // The authority's certificate, where its key is on another machine; empty: the key is here.
    std::string authority_file = {};
  };

  // Reads `ca.pem` and `ca-key.pem`, and makes both where neither is there; with an
  // `authority_file` `ca.pem` is a copy of it. FAILED_PRECONDITION if what is there cannot be used,
  // or is of another authority, or has the key that ought to be elsewhere. Blocks.
  static absl::StatusOr<std::unique_ptr<Pki>> Open(Options options, crypto::WallTime now);

  const crypto::Certificate& authority() const { return authority_; }
  // Whether Issue can work.
  bool signs() const { return signer_.has_value(); }

  // A certificate for one principal. At most `lifetime` if it is given, else the option's.
  // FAILED_PRECONDITION where the key is elsewhere.
  absl::StatusOr<crypto::Certificate> Issue(
      const crypto::SpiffeId& id, const crypto::PublicKey& key, crypto::WallTime now,
      std::optional<std::chrono::seconds> lifetime = std::nullopt) const;

  // Makes or renews the broker's certificate if it is time (or another authority's); the two files
  // are what rpc::Credentials::ForServer wants. Where the authority's key is elsewhere it makes the
  // broker's key, warns when it is time, and is FAILED_PRECONDITION while there is no certificate
  // that can be used. Blocks.
  absl::Status KeepServerCertificate(crypto::WallTime now);
  std::string server_certificate_file() const { return options_.state_dir + "/server.pem"; }
  std::string server_key_file() const { return options_.state_dir + "/server-key.pem"; }

 private:
  Pki(Options options, crypto::Certificate authority,
      std::optional<crypto::CertificateAuthority> signer)
      : options_(std::move(options)),
        authority_(std::move(authority)),
        signer_(std::move(signer)) {}
  absl::Status AwaitServerCertificate(crypto::WallTime now) const;

  const Options options_;
  const crypto::Certificate authority_;
  const std::optional<crypto::CertificateAuthority> signer_;
};

// --- for administrators, who may have no Pki: what is in a broker's state directory ---

// `ca.pem`. NOT_FOUND if there is none. Blocks.
absl::StatusOr<crypto::Certificate> ReadAuthority(const std::string& state_dir);
// The broker's key, if its certificate has to be signed elsewhere and it is time for that. Blocks.
absl::StatusOr<std::optional<crypto::PrivateKey>> FindKeyToSign(const std::string& state_dir,
                                                                crypto::WallTime now);
// The broker's key. NOT_FOUND if there is none yet. Blocks.
absl::StatusOr<crypto::PrivateKey> ReadServerKey(const std::string& state_dir);
// A certificate that was checked; a running broker uses it within a second. Blocks.
absl::Status WriteServerCertificate(const std::string& state_dir, const crypto::Certificate& leaf,
                                    const crypto::Certificate& authority);

}  // namespace culvert::broker
