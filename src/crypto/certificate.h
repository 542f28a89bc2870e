// X.509 certificates (RFC 5280) as identities: one SPIFFE id and one key of P-256.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "crypto/key.h"
#include "crypto/spiffe_id.h"

namespace culvert::crypto {

using culvert::WallTime;  // what certificates live by

// What a leaf may be used for.
enum class Usage { kServer, kClient };

// One certificate. Immutable, any thread; copies share it.
class Certificate {
 public:
  // INVALID_ARGUMENT if it does not parse, has more than one URI name, or a key that is not of
  // P-256. What follows the first certificate of a PEM text is an error too.
  static absl::StatusOr<Certificate> FromPem(std::string_view pem);
  static absl::StatusOr<Certificate> FromDer(std::string_view der);

  const std::string& der() const { return parts_->der; }
  std::string Pem() const;
  // SHA-256 of the DER form, as Base32.
  std::string Fingerprint() const;

  const PublicKey& public_key() const { return parts_->public_key; }
  // None for a CA's or a broker's certificate.
  const std::optional<SpiffeId>& spiffe_id() const { return parts_->spiffe_id; }
  bool is_ca() const { return parts_->is_ca; }
  // What the issuer let it be used for.
  bool IsFor(Usage usage) const;
  // Lower-case hexadecimal digits.
  const std::string& serial() const { return parts_->serial; }
  WallTime not_before() const { return parts_->not_before; }
  WallTime not_after() const { return parts_->not_after; }

  // Whether `authority` issued this, both are valid at `now` (5 minutes of leeway), and this may be
  // used as `usage`. UNAUTHENTICATED with the reason otherwise.
  absl::Status CheckIssuedBy(const Certificate& authority, Usage usage, WallTime now) const;
  // The same but for the signature, which needs milliseconds and never changes: for a certificate
  // that `authority` is known to have issued.
  absl::Status CheckValidFor(const Certificate& authority, Usage usage, WallTime now) const;
  // Only whether this itself is in its time: cheap.
  absl::Status CheckValidAt(WallTime now) const;

  friend bool operator==(const Certificate& a, const Certificate& b) { return a.der() == b.der(); }

 private:
  struct Parts {
    std::string der;
    PublicKey public_key;
    std::optional<SpiffeId> spiffe_id;
    bool is_ca = false;
    std::string serial;
    WallTime not_before;
    WallTime not_after;
    std::vector<Usage> usages;
  };
  explicit Certificate(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

}  // namespace culvert::crypto
