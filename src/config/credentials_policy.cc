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

absl::Status CheckLoopback(const Endpoint& endpoint) {
  if (IsLoopback(endpoint)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--insecure is for loopback only, and {} is not loopback", endpoint.ToString()));
}

absl::Status CheckLoopback(const std::vector<Endpoint>& endpoints) {
  for (const Endpoint& endpoint : endpoints) CULVERT_RETURN_IF_ERROR(CheckLoopback(endpoint));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCredentials(const BrokerConfig& config) {
  CULVERT_RETURN_IF_ERROR(CheckIdentity(config.common));
  return CheckLoopback(config.listen);
}

absl::Status CheckCredentials(const AgentConfig& config) {
  CULVERT_RETURN_IF_ERROR(CheckIdentity(config.common));
  return CheckLoopback(config.brokers);
}

absl::Status CheckCredentials(const ForwarderConfig& config) {
  CULVERT_RETURN_IF_ERROR(CheckIdentity(config.common));
  for (const ForwardSpec& forward : config.forwards) {
    CULVERT_RETURN_IF_ERROR(CheckLoopback(forward.bind()));
  }
  return CheckLoopback(config.brokers);
}

absl::Status CheckInsecurePeer(const net::Address& peer) {
  if (peer.is_loopback()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("--insecure is for loopback only, and {} is not loopback", peer.ToString()));
}

}  // namespace culvert::config
