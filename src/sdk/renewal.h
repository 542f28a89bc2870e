// The steps of renewing an identity, for a program that runs and for one that only renews.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/identity.h"
#include "rpc/stream.h"

namespace culvert {

enum class KeyChoice { kSame, kNew };

// The key of the next certificate. A new one is kept in `state_dir` before anybody hears of it, and
// is the same one again until KeepRenewed or ForgetIfRefused: the answer may be lost. Blocks.
absl::StatusOr<crypto::PrivateKey> NextKey(const crypto::Identity& present,
                                           const std::string& state_dir, KeyChoice choice);

// Asks for a certificate of `next`, with the present key's word for it if it is another one.
rpc::Frame RenewRequestFrame(const crypto::Identity& present, const crypto::PrivateKey& next,
                             crypto::WallTime now);

// None: the request waits to be signed elsewhere. INTERNAL or UNAUTHENTICATED for an answer that is
// not about `present` and `next`.
absl::StatusOr<std::optional<crypto::Identity>> ReadRenewed(const Bytes& answer,
                                                            const crypto::Identity& present,
                                                            const crypto::PrivateKey& next);

// What another process has put in the place of `present`, if that is to be used instead: of the
// same principal and authority, and not due to be renewed. Blocks.
std::optional<crypto::Identity> FindSuccessor(const std::string& state_dir,
                                              const crypto::Identity& present,
                                              crypto::WallTime now);

// Puts `renewed` in the place of `present`; returns what the directory holds then, which is a
// successor that somebody else has put there if there is one. Blocks.
absl::StatusOr<crypto::Identity> KeepRenewed(const std::string& state_dir,
                                             const crypto::Identity& present,
                                             const crypto::Identity& renewed);

// All of it at once, for the identity in `state_dir`. Blocks.
absl::StatusOr<crypto::Certified> RenewNow(const std::string& state_dir,
                                           const std::vector<std::string>& brokers,
                                           KeyChoice choice);

}  // namespace culvert
