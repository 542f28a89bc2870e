// How a program gets its identity.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/identity.h"

namespace culvert {

struct EnrolmentRequest {
  std::vector<std::string> brokers;  // "host:port", tried in this order
  std::string token;                 // as the operator got it
  std::string state_dir;
  crypto::SpiffeId::Role role = crypto::SpiffeId::Role::kUser;  // that the program can use
  bool replace = false;                                         // an identity that is there already
};

// Makes a key, has the broker that the token names certify it, and keeps both in the state
// directory. The key never leaves it. A try whose answer is lost can be repeated with the same
// token: the key is kept for it, and has to be while the request waits to be signed. ALREADY_EXISTS
// where there is an identity; UNAUTHENTICATED for a token that is unknown, used or expired, or a
// broker that is not the token's. Blocks.
absl::StatusOr<crypto::Certified> Enroll(const EnrolmentRequest& request);

// The identity that the broker's CertificateResponse makes of `key`; none: it waits to be signed
// elsewhere. UNAUTHENTICATED unless it is of the authority with this fingerprint.
absl::StatusOr<std::optional<crypto::Identity>> ReadCertificateAnswer(
    const Bytes& answer, crypto::PrivateKey key, const std::string& fingerprint);

}  // namespace culvert
