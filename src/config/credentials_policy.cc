#include "config/credentials_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "base/log.h"
#include "base/status.h"
#include "crypto/identity.h"

namespace culvert::config {
namespace {

// `command` is what makes one.
absl::Status CheckIdentity(const CommonConfig& common,
                           std::initializer_list<crypto::SpiffeId::Role> roles,
                           std::string_view command) {
  const absl::StatusOr<crypto::Identity> identity = crypto::LoadIdentity(common.state_dir);
  if (absl::IsNotFound(identity.status())) {
    return absl::FailedPreconditionError(
        fmt::format("no identity in {}: run '{} --broker HOST:PORT --token-file FILE' first",
                    Printable(common.state_dir), command));
  }
  if (!identity.ok()) return identity.status();
  if (std::find(roles.begin(), roles.end(), identity->spiffe_id().role) == roles.end()) {
    return absl::FailedPreconditionError(fmt::format("the identity in {} is that of {}",
                                                     Printable(common.state_dir),
                                                     identity->spiffe_id().ToString()));
  }
  return absl::OkStatus();
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
  if (!config.common.insecure) return absl::OkStatus();  // it makes what it needs
  if (config.web.kind == WebChoice::Kind::kAddress) {
    CULVERT_RETURN_IF_ERROR(CheckLoopback(config.web.address));
  }
  return CheckLoopback(config.listen);
}

absl::Status CheckCredentials(const AgentConfig& config) {
  if (!config.common.insecure) {
    return CheckIdentity(config.common, {crypto::SpiffeId::Role::kAgent}, "culvert-agent enroll");
  }
  if (!config.users.empty()) {
    return absl::InvalidArgumentError("with --insecure nobody is known: --user cannot work");
  }
  return CheckLoopback(config.brokers);
}

absl::Status CheckCredentials(const ForwarderConfig& config) {
  if (!config.common.insecure) {
    return CheckIdentity(config.common,
                         {crypto::SpiffeId::Role::kUser, crypto::SpiffeId::Role::kServiceAccount},
                         "culvert enroll");
  }
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
