// Certificate signing requests (PKCS #10, RFC 2986). Only the key in them counts: names come from
// whoever signs.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "crypto/key.h"

namespace culvert::crypto {

// PEM.
std::string MakeCertificateRequest(const PrivateKey& key);

// The key of a request, whose signature shows that the sender has its other half. INVALID_ARGUMENT
// otherwise. `pem` is a peer's: at most 8 KiB.
absl::StatusOr<PublicKey> ReadCertificateRequest(std::string_view pem);

}  // namespace culvert::crypto
