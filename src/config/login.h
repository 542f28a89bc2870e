// What `culvert login` is told.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "config/endpoint.h"
#include "config/setting.h"
#include "crypto/identity.h"

namespace culvert::config {

struct LoginConfig {
  std::string jwt_file;  // "-" is standard input; never the token itself
  std::string ca_cert;   // a file
  std::string ca_fingerprint;
  bool force = false;  // replace the identity of somebody else
};

// The flags; used inside src/config only.
Settings LoginSettings(LoginConfig& config);
// After all sources were read.
absl::Status FinishLogin(const LoginConfig& config);

// The JSON Web Token, without what is around it. Blocks.
absl::StatusOr<std::string> ReadJwt(const LoginConfig& config);
// What --ca-cert names, which must be one certificate. Blocks.
absl::StatusOr<crypto::Certificate> ReadAuthority(const std::string& file);

}  // namespace culvert::config
