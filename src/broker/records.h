// What the broker remembers of principals and what its operator has decided about them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/principal.h"
#include "broker/requests.h"
#include "crypto/certificate.h"
#include "crypto/key_rotation.h"

namespace culvert::broker {

// Confined to the control loop; answers at once.
class Records {
 public:
  virtual ~Records() = default;

  // Uses a one-time token up, for a key: whom it names. The same key may come again with it.
  // UNAUTHENTICATED if it is unknown, expired or used by another key; FAILED_PRECONDITION, and the
  // token stays unused, if it is not for `role`.
  virtual absl::StatusOr<crypto::SpiffeId> Redeem(const std::string& token, const std::string& key,
                                                  crypto::SpiffeId::Role role) = 0;
  // A certificate was issued. As for a login: it must not be given away unless this is on record,
  // so that it can be found, revoked and renewed. RESOURCE_EXHAUSTED if its name has too many keys.
  virtual absl::Status NoteIssued(const crypto::Certificate& certificate) = 0;
  // The certificate that was signed elsewhere for `key` of `id`; none while its request waits to
  // be. `present` is the one that it is to follow, if it has one. RESOURCE_EXHAUSTED if too many
  // wait.
  virtual absl::StatusOr<std::optional<crypto::Certificate>> AwaitSigning(
      const crypto::SpiffeId& id, const crypto::PublicKey& key, const std::string& request,
      const std::optional<crypto::Certificate>& present);
  // `keys` are those of `rotation`, which was checked.
  virtual absl::Status KeepRotation(const crypto::KeyRotation& rotation,
                                    const crypto::KeySuccession& keys) = 0;
  // What keys of `id` have said of their successors, none of them revoked; the oldest first.
  virtual absl::StatusOr<std::vector<crypto::KeyRotation>> RotationsOf(
      const crypto::SpiffeId& id) const = 0;
  // One was, for a login: it must not be given away unless this is on record.
  virtual absl::Status NoteLogin(const crypto::Certificate& certificate) = 0;
  // FAILED_PRECONDITION for a key whose certificates came from logins, or that is not on record.
  virtual absl::Status MayRenew(const Principal& who) const = 0;
  // UNAUTHENTICATED, with the reason, for a key that was withdrawn.
  virtual absl::Status CheckNotRevoked(const std::string& key) const = 0;
  // PERMISSION_DENIED unless the project, an id, exists.
  virtual absl::Status CheckProject(const std::string& project) const = 0;
  // The policy's word: PERMISSION_DENIED without a rule that allows it.
  virtual absl::Status MayConnect(const Principal& who, const OpenChannel& open) const = 0;
  // Whether some rule lets `who` open anything at this provider.
  virtual bool MaySee(const Principal& who, const ProviderKey& provider) const = 0;
};

inline absl::StatusOr<std::optional<crypto::Certificate>> Records::AwaitSigning(
    const crypto::SpiffeId&, const crypto::PublicKey&, const std::string&,
    const std::optional<crypto::Certificate>&) {
  return absl::FailedPreconditionError("nobody signs here");
}

}  // namespace culvert::broker
