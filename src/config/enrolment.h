// What a program is told when it enrols, and what it keeps of that beside the identity.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/endpoint.h"
#include "config/environment.h"
#include "config/setting.h"
#include "crypto/identity.h"

namespace culvert::config {

struct EnrolConfig {
  std::string token_file;  // "-" is standard input; empty: `token` counts
  std::string token;       // of $CULVERT_TOKEN, which no flag may bring: others could read it
  bool force = false;      // replace the identity that is there
  Duration wait{0};        // for the certificate to be signed, where that is done elsewhere
};

// --token-file, --force and --wait; used inside src/config only.
Settings EnrolSettings(EnrolConfig& config);
// --rotate-key; used inside src/config only.
Setting RotateKeySetting(bool& rotate_key);
// After all sources were read. INVALID_ARGUMENT if there is no token.
absl::Status FinishEnrol(const Environment& environment, EnrolConfig& config);

// The brokers that the program enrolled with; none if it did not. Blocks.
absl::StatusOr<std::vector<Endpoint>> ReadEnrolledBrokers(const std::string& state_dir);

// Keeps them for ReadEnrolledBrokers. Blocks.
absl::Status SaveEnrolledBrokers(const std::string& state_dir,
                                 const std::vector<Endpoint>& brokers);

// `brokers` if there are any, else those of the enrolment.
absl::Status FillBrokers(const std::string& state_dir, bool insecure,
                         std::vector<Endpoint>& brokers);

// Makes and saves the identity of whom the token names; what sdk's Enroll does.
using EnrolFunction =
    absl::FunctionRef<absl::StatusOr<crypto::Certified>(const std::string& token)>;

// `PROGRAM enroll`: reads the token, enrols, keeps the brokers, says who the program is now.
// Returns the exit code: kExitWaits if the certificate is still to be signed after `config.wait`.
int RunEnroll(const std::string& program, const std::string& state_dir,
              const std::vector<Endpoint>& brokers, const EnrolConfig& config, EnrolFunction enrol);

// Renews and saves the identity; what sdk's RenewNow does.
using RenewFunction = absl::FunctionRef<absl::StatusOr<crypto::Certified>()>;

// `PROGRAM renew`: says who the program is, and with which key from now on. Returns the exit code:
// kExitWaits if the certificate is still to be signed.
int RunRenew(const std::string& program, const std::string& state_dir, RenewFunction renew);

}  // namespace culvert::config
