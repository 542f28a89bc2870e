// Whether a program may run with the credentials it has: an identity, or --insecure, which is for
// loopback only.
#pragma once

#include "absl/status/status.h"
#include "config/agent_config.h"
#include "config/broker_config.h"
#include "config/forwarder_config.h"
#include "net/address.h"

namespace culvert::config {

// At the start, at each reload, and for --check-config. Without --insecure: FAILED_PRECONDITION if
// an agent or forwarder has no identity of its kind (a broker makes what it needs). With it:
// INVALID_ARGUMENT if the program would listen beyond loopback or dial a broker there.
absl::Status CheckCredentials(const BrokerConfig& config);
absl::Status CheckCredentials(const AgentConfig& config);
absl::Status CheckCredentials(const ForwarderConfig& config);

// For what only a program with an identity can do. FAILED_PRECONDITION without one.
template <class Config>
absl::Status CheckIdentified(const Config& config) {
  if (!config.common.insecure) return CheckCredentials(config);
  return absl::FailedPreconditionError("with --insecure there are no identities");
}

// For the address that a broker's name resolved to, before dialling it without credentials.
// PERMISSION_DENIED beyond loopback.
absl::Status CheckInsecurePeer(const net::Address& peer);

}  // namespace culvert::config
