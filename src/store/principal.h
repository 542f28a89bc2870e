// Who acts: an identity as policy and records know it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "crypto/spiffe_id.h"

namespace culvert::store {

enum class Role { kAgent, kUser, kServiceAccount };

// "agent", "user", "service_account".
std::string_view RoleName(Role role);
absl::StatusOr<Role> ParseRole(std::string_view text);
Role RoleFrom(crypto::SpiffeId::Role role);

struct Principal {
  std::string project;  // an ID, without "projects/"
  Role role = Role::kUser;
  std::string name;
  std::string key_id;  // 52 characters

  // What a certificate says; `key_id` is its key's.
  static Principal From(const crypto::SpiffeId& id, std::string key_id);
  // "user alice"
  std::string ToString() const;
  friend bool operator==(const Principal&, const Principal&) = default;
};

// INVALID_ARGUMENT unless project and name are resource ids and the key id has its form.
absl::Status CheckPrincipal(const Principal& principal);
// INVALID_ARGUMENT that names `what` unless `id` is a resource id.
absl::Status CheckId(std::string_view what, std::string_view id);
absl::Status CheckKeyId(std::string_view key_id);

}  // namespace culvert::store
