// Keys in the state directory that wait for a certificate.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crypto/key.h"

namespace culvert {

// The key to enrol with for `token`, made and kept if there is none: a token is good for one key,
// and a try that is repeated must bring the same. A key that was kept for another token is not used
// again, since it may be known to whoever could read the state then. Blocks.
absl::StatusOr<crypto::PrivateKey> EnrollingKey(const std::string& state_dir,
                                                const std::string& token);
// Blocks.
absl::Status ForgetEnrollingKey(const std::string& state_dir);

// The key that is to follow `present`, made and kept if there is none. Blocks.
absl::StatusOr<crypto::PrivateKey> RenewingKey(const std::string& state_dir,
                                               const crypto::PublicKey& present);
// Whichever it is: an identity that comes in the place of another one must not go on with its key.
// Blocks.
absl::Status ForgetRenewingKey(const std::string& state_dir);
// After the answer `why` to a renewal for `next`: if it is final for that key, and the key still
// the one that is kept, the next try has to bring another one. Blocks.
void ForgetIfRefused(const std::string& state_dir, const crypto::PublicKey& next,
                     const absl::Status& why);

}  // namespace culvert
