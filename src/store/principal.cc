#include "store/principal.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/resource_id.h"
#include "base/status.h"
#include "crypto/digest.h"

namespace culvert::store {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kAgent:
      return "agent";
    case Role::kUser:
      return "user";
    case Role::kServiceAccount:
      return "service_account";
  }
  return "";
}

absl::StatusOr<Role> ParseRole(std::string_view text) {
  for (const Role role : {Role::kAgent, Role::kUser, Role::kServiceAccount}) {
    if (RoleName(role) == text) return role;
  }
  return absl::InvalidArgumentError(
      fmt::format("\"{}\": expected agent, user or service_account", Printable(text)));
}

Role RoleFrom(crypto::SpiffeId::Role role) {
  switch (role) {
    case crypto::SpiffeId::Role::kAgent:
      return Role::kAgent;
    case crypto::SpiffeId::Role::kUser:
      return Role::kUser;
    case crypto::SpiffeId::Role::kServiceAccount:
      break;
  }
  return Role::kServiceAccount;
}

Principal Principal::From(const crypto::SpiffeId& id, std::string key_id) {
  return {id.project, RoleFrom(id.role), id.name, std::move(key_id)};
}

std::string Principal::ToString() const { return fmt::format("{} {}", RoleName(role), name); }

absl::Status CheckId(std::string_view what, std::string_view id) {
  if (IsResourceId(id)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} \"{}\": expected 1 to 128 of A-Z, a-z, 0-9, '_', '.', '-', not starting with "
                  "'.' or '-'",
                  what, Printable(id)));
}

absl::Status CheckKeyId(std::string_view key_id) {
  if (crypto::IsKeyId(key_id)) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "key \"{}\": expected a key id, 52 characters of a-z and 2-7", Printable(key_id)));
}

absl::Status CheckPrincipal(const Principal& principal) {
  CULVERT_RETURN_IF_ERROR(CheckId("project", principal.project));
  CULVERT_RETURN_IF_ERROR(CheckId(RoleName(principal.role), principal.name));
  return CheckKeyId(principal.key_id);
}

}  // namespace culvert::store
