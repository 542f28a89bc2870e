// Issues certificates: a project's own authority, whose key the broker may hold.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "crypto/certificate.h"
#include "crypto/key.h"

namespace culvert::crypto {

// What a certificate says. Nothing of it comes from the request.
struct CertificateContent {
  std::optional<SpiffeId> spiffe_id;
  std::vector<std::string> dns_names;  // checked by nobody here: letters, digits, '.', '-'
  std::vector<Usage> usages;
  WallTime not_before;
  WallTime not_after;
  std::vector<std::string> ip_addresses = {};  // 4 or 16 bytes each, in network order
};

// Immutable, any thread.
class CertificateAuthority {
 public:
  // A new key and its self-signed certificate, `subject` its common name (letters, digits, space,
  // '.', '-').
  static CertificateAuthority Create(const std::string& subject, WallTime not_before,
                                     WallTime not_after);
  // INVALID_ARGUMENT unless the certificate is an authority's and the key is its key.
  static absl::StatusOr<CertificateAuthority> FromParts(Certificate certificate, PrivateKey key);

  const Certificate& certificate() const { return certificate_; }
  const PrivateKey& key() const { return key_; }

  // Takes about two milliseconds. Never later than the authority itself: `not_after` is cut.
  Certificate Issue(const PublicKey& key, const CertificateContent& content) const;

 private:
  CertificateAuthority(Certificate certificate, PrivateKey key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}

  Certificate certificate_;
  PrivateKey key_;
};

}  // namespace culvert::crypto
