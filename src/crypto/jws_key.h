// Public keys that the signatures of JSON Web Tokens are checked with.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert::crypto {

// The two that are taken (RFC 7518 §3.1). Which one a token has to have is the key's word, never
// the token's.
enum class JwsAlgorithm { kEs256, kRs256 };

// "ES256", "RS256".
std::string_view JwsAlgorithmName(JwsAlgorithm algorithm);

// A key of P-256, or of RSA with 2,048 to 8,192 bits. Immutable, any thread; copies share it.
class JwsKey {
 public:
  // Big endian; each coordinate has 32 bytes. INVALID_ARGUMENT unless it is a point of the curve.
  static absl::StatusOr<JwsKey> FromPoint(std::string_view x, std::string_view y);
  // Big endian, without zeros in front. INVALID_ARGUMENT for a size or an exponent that is not
  // taken.
  static absl::StatusOr<JwsKey> FromRsa(std::string_view modulus, std::string_view exponent);
  // SubjectPublicKeyInfo (RFC 5280 §4.1), "BEGIN PUBLIC KEY". INVALID_ARGUMENT for anything else,
  // a private key above all.
  static absl::StatusOr<JwsKey> FromPem(std::string_view pem);

  JwsAlgorithm algorithm() const;
  // The members that RFC 7638 hashes, as it orders them: a JWK.
  const std::string& jwk() const;
  // The thumbprint of that (RFC 7638), as Base32: for P-256 the same as PublicKey::id.
  const std::string& thumbprint() const;

  // Whether `signature` is this key's over `message`, in the form of RFC 7518 §3.3 and §3.4: for
  // ES256 the two numbers of 32 bytes, not DER.
  bool Verifies(std::string_view message, std::string_view signature) const;

  friend bool operator==(const JwsKey& a, const JwsKey& b) { return a.jwk() == b.jwk(); }

 private:
  struct Parts;
  explicit JwsKey(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

}  // namespace culvert::crypto
