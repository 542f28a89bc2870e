#include "crypto/spiffe_id.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/log.h"
#include "base/resource_id.h"

namespace culvert::crypto {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr size_t kMostUriBytes = 512;

bool IsTrustDomain(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<SpiffeId::Role> RoleOf(std::string_view name) {
  for (const SpiffeId::Role role :
       {SpiffeId::Role::kAgent, SpiffeId::Role::kUser, SpiffeId::Role::kServiceAccount}) {
    if (name == RoleName(role)) return role;
  }
  return std::nullopt;
}

}  // namespace

std::string_view RoleName(SpiffeId::Role role) {
  switch (role) {
    case SpiffeId::Role::kAgent:
      return "agent";
    case SpiffeId::Role::kUser:
      return "user";
    case SpiffeId::Role::kServiceAccount:
      return "service-account";
  }
  return "";
}

absl::StatusOr<SpiffeId> SpiffeId::Parse(std::string_view uri) {
  const auto bad = [uri] {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no identity: expected "
                    "spiffe://DOMAIN/project/PROJECT/agent|user|service-account/NAME",
                    Printable(uri)));
  };
  if (uri.size() > kMostUriBytes || uri.substr(0, kScheme.size()) != kScheme) return bad();
  const std::vector<std::string_view> parts = Split(uri.substr(kScheme.size()), '/');
  if (parts.size() != 5 || parts[1] != "project") return bad();
  const std::optional<Role> role = RoleOf(parts[3]);
  if (!role || !IsTrustDomain(parts[0]) || !IsResourceId(parts[2]) || !IsResourceId(parts[4]))
    return bad();
  return SpiffeId{std::string(parts[0]), std::string(parts[2]), *role, std::string(parts[4])};
}

std::string SpiffeId::ToString() const {
  return fmt::format("{}{}/project/{}/{}/{}", kScheme, trust_domain, project, RoleName(role), name);
}

}  // namespace culvert::crypto
