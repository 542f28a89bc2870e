// Who a program is: its key, the certificate for it, and the authority that it trusts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "crypto/certificate.h"
#include "crypto/key.h"

namespace culvert::crypto {

struct Identity {
  PrivateKey key;
  Certificate certificate;  // for the key, with a SPIFFE id
  Certificate authority;    // of the project

  // INVALID_ARGUMENT unless the three belong together. Validity in time is not looked at.
  static absl::StatusOr<Identity> FromParts(PrivateKey key, Certificate certificate,
                                            Certificate authority);
  const SpiffeId& spiffe_id() const { return *certificate.spiffe_id(); }
};

// What came of a request for a certificate of `key`: nothing while it waits to be signed.
struct Certified {
  PublicKey key;
  std::optional<Identity> identity;
};

// When a certificate is to be renewed: after two thirds of its life.
WallTime RenewAt(const Certificate& certificate);

// One file of the state directory, `identity.pem`, so that key and certificate change together.
// NOT_FOUND if there is none. Blocks.
absl::StatusOr<Identity> LoadIdentity(const std::string& state_dir);
// Makes the directory too. Blocks.
absl::Status SaveIdentity(const std::string& state_dir, const Identity& identity);

// The PEM texts of `text` (RFC 7468), one after the other. What stands between them is ignored.
std::vector<std::string> SplitPem(std::string_view text);

}  // namespace culvert::crypto
