// How a program gets an identity for some hours from a JSON Web Token.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "crypto/identity.h"

namespace culvert {

struct LoginRequest {
  std::vector<std::string> brokers;  // "host:port", tried in this order
  std::string jwt;
  std::string state_dir;
  // Which broker is the right one: one of these, unless there is an identity, whose authority it is
  // then.
  std::optional<crypto::Certificate> authority;
  std::string authority_fingerprint;  // empty: none
  bool replace = false;               // an identity of somebody else that is there already
};

// Has the broker certify a key for whom the token names, and keeps both in the state directory. The
// key of an identity that is there stays, so that lists that name it go on to hold.
// FAILED_PRECONDITION if nothing tells the right broker, and where there is an identity of somebody
// else, for whose key the broker issues nothing then; UNAUTHENTICATED for a token that does not
// count. Blocks, and tries again for some seconds while no broker can answer.
absl::StatusOr<crypto::Identity> Login(const LoginRequest& request);

}  // namespace culvert
