#include "crypto/tls_peer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"

namespace culvert::crypto {
namespace {

absl::Status Denied(const std::string& why) {
  return absl::PermissionDeniedError(fmt::format("the other end is {}", why));
}

}  // namespace

absl::Status CheckTlsName(const Certificate& peer, const TlsExpectation& expected) {
  const std::optional<SpiffeId>& id = peer.spiffe_id();
  if (!id) return Denied("neither an agent nor a user");
  if (id->project != expected.project)
    return Denied(fmt::format("of project {}, not {}", id->project, expected.project));
  if (std::find(expected.roles.begin(), expected.roles.end(), id->role) == expected.roles.end())
    return Denied(fmt::format("the {} {}, whose part this is not", RoleName(id->role), id->name));
  if (expected.name && id->name != *expected.name)
    return Denied(fmt::format("the {} {}, not {}", RoleName(id->role), id->name, *expected.name));
  return absl::OkStatus();
}

absl::Status CheckTlsPeer(const Certificate& peer, const TlsExpectation& expected,
                          const Certificate& authority, Usage usage, WallTime now) {
  CULVERT_RETURN_IF_ERROR(peer.CheckIssuedBy(authority, usage, now));
  return CheckTlsName(peer, expected);
}

}  // namespace culvert::crypto
