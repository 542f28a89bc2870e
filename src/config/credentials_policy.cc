#include "config/credentials_policy.h"

#include <fmt/format.h>

#include "base/status.h"

namespace culvert::config {
namespace {

absl::Status CheckIdentity(const CommonConfig& common) {
  if (common.insecure) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("no identity in {} yet: enrolment is not available in this version; use "
                  "--insecure on loopback for development",
                  Printable(common.state_dir)));
}

absl::Status CheckBind(const Endpoint& endpoint) {
  if (IsLoopback(endpoint)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--insecure is for loopback only, and {} is not loopback", endpoint.ToString()));
}

}  // namespace

absl::Status CheckInsecureBinds(const BrokerConfig& config) {
  if (!config.common.insecure) return absl::OkStatus();
  for (const Endpoint& endpoint : config.listen) CULVERT_RETURN_IF_ERROR(CheckBind(endpoint));
  return absl::OkStatus();
}

absl::Status CheckInsecureBinds(const ForwarderConfig& config) {
  if (!config.common.insecure) return absl::OkStatus();
  for (const ForwardSpec& forward : config.forwards) {
    CULVERT_RETURN_IF_ERROR(CheckBind(forward.bind()));
  }
  return absl::OkStatus();
}

absl::Status CheckCredentials(const BrokerConfig& config) {
  CULVERT_RETURN_IF_ERROR(CheckIdentity(config.common));
  return CheckInsecureBinds(config);
}

absl::Status CheckCredentials(const AgentConfig& config) { return CheckIdentity(config.common); }

absl::Status CheckCredentials(const ForwarderConfig& config) {
  CULVERT_RETURN_IF_ERROR(CheckIdentity(config.common));
  return CheckInsecureBinds(config);
}

absl::Status CheckInsecurePeer(const net::Address& peer) {
  if (peer.is_loopback()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("--insecure is for loopback only, and {} is not loopback", peer.ToString()));
}

}  // namespace culvert::config
