// Keys on the curve P-256 (FIPS 186-4), the only kind that identities have.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert::crypto {

// Immutable; copies share it. Any thread.
class PublicKey {
 public:
  // SubjectPublicKeyInfo (RFC 5280 §4.1), DER. INVALID_ARGUMENT for anything but a point of P-256.
  static absl::StatusOr<PublicKey> FromDer(std::string_view der);

  const std::string& der() const { return parts_->der; }
  // The key's id: the JWK thumbprint (RFC 7638) as unpadded lower-case base32, 52 characters.
  const std::string& id() const { return parts_->id; }
  // The coordinates, 32 bytes each.
  const std::string& x() const { return parts_->x; }
  const std::string& y() const { return parts_->y; }

  // Whether `signature` (ECDSA with SHA-256, DER) is this key's over `message`.
  bool Verifies(std::string_view message, std::string_view signature) const;

  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.der() == b.der(); }

 private:
  struct Parts {
    std::string der;
    std::string id;
    std::string x;
    std::string y;
  };
  explicit PublicKey(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

// A secret: keep it in as few places as possible. Immutable, any thread; copies share it, and its
// memory is cleared with the last of them.
class PrivateKey {
 public:
  static PrivateKey Generate();
  // SEC 1 or PKCS #8, not encrypted. INVALID_ARGUMENT for anything but a key of P-256.
  static absl::StatusOr<PrivateKey> FromPem(std::string_view pem);

  const PublicKey& public_key() const;
  // SEC 1 (RFC 5915).
  std::string Pem() const;
  // ECDSA with SHA-256, DER. Takes about a millisecond.
  std::string Sign(std::string_view message) const;

  // For the other files of src/crypto.
  struct Parts;
  Parts& parts() const { return *parts_; }

 private:
  explicit PrivateKey(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<Parts> parts_;
};

}  // namespace culvert::crypto
