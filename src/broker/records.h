// What the broker remembers of principals and what its operator has decided about them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "broker/principal.h"
#include "broker/requests.h"
#include "crypto/certificate.h"

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
  // A certificate was issued.
  virtual void NoteIssued(const crypto::Certificate& certificate) = 0;
  // One was, for a login: it must not be given away unless this is on record.
  virtual absl::Status NoteLogin(const crypto::Certificate& certificate) = 0;
  // FAILED_PRECONDITION for a key whose certificates came from logins.
  virtual absl::Status MayRenew(const Principal& who) const = 0;
  // UNAUTHENTICATED, with the reason, for a key that was withdrawn.
  virtual absl::Status CheckNotRevoked(const std::string& key) const = 0;
  // The policy's word: PERMISSION_DENIED without a rule that allows it.
  virtual absl::Status MayConnect(const Principal& who, const OpenChannel& open) const = 0;
  // Whether some rule lets `who` open anything at this provider.
  virtual bool MaySee(const Principal& who, const ProviderKey& provider) const = 0;
};

}  // namespace culvert::broker
