// The broker's own key and certificate in its state directory. Used by Pki only.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "crypto/certificate.h"

namespace culvert::broker {

// The key that is there, or a new one where there is none. One that is there and cannot be
// used, for its mode, owner or content, is an error: nobody has decided to do without it. Blocks.
absl::StatusOr<crypto::PrivateKey> KeepServerKey(const std::string& state_dir);

// The certificate, if it is `key`'s, of this authority and in its time. Blocks.
std::optional<crypto::Certificate> FindServerCertificate(const std::string& state_dir,
                                                         const crypto::PrivateKey& key,
                                                         const crypto::Certificate& authority,
                                                         crypto::WallTime now);

}  // namespace culvert::broker
