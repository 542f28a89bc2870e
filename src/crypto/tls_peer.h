// Who the other side of a TLS connection must be. TLS itself accepts any certificate of the
// authority, whatever name is in it: this is the gate.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "crypto/certificate.h"
#include "crypto/spiffe_id.h"

namespace culvert::crypto {

struct TlsExpectation {
  std::string project;
  std::vector<SpiffeId::Role> roles;
  std::optional<std::string> name;  // anybody's if there is none
};

// Whether `peer` names whom `expected` says. PERMISSION_DENIED with the difference otherwise.
absl::Status CheckTlsName(const Certificate& peer, const TlsExpectation& expected);

// CheckTlsName, and that `authority` issued `peer`, which is valid at `now` and may be used as
// `usage`: UNAUTHENTICATED otherwise. To be called after every handshake, for a resumed one
// verifies nothing again. Takes milliseconds; TlsContext::CheckPeer says the same of a peer it
// knows in less.
absl::Status CheckTlsPeer(const Certificate& peer, const TlsExpectation& expected,
                          const Certificate& authority, Usage usage, WallTime now);

}  // namespace culvert::crypto
