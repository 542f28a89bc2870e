// Identities as SPIFFE ids: spiffe://TRUST-DOMAIN/project/PROJECT/{agent|user|service-account}/NAME
// (SPIFFE-ID standard §2; the path is ours).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert::crypto {

struct SpiffeId {
  enum class Role { kAgent, kUser, kServiceAccount };

  std::string trust_domain;  // lower-case letters, digits, '.', '-', '_'
  std::string project;       // a resource id
  Role role = Role::kUser;
  std::string name;  // a resource id

  // INVALID_ARGUMENT for anything that ToString would not write: no percent encoding, no trailing
  // slash, no query, at most 512 bytes.
  static absl::StatusOr<SpiffeId> Parse(std::string_view uri);
  std::string ToString() const;

  friend bool operator==(const SpiffeId&, const SpiffeId&) = default;
};

// "agent", "user" or "service-account".
std::string_view RoleName(SpiffeId::Role role);

}  // namespace culvert::crypto
