// Whether a program may run with the credentials it has. This version has no identities yet, so the
// one way is --insecure, which is for loopback only.
#pragma once

#include "absl/status/status.h"
#include "config/agent_config.h"
#include "config/broker_config.h"
#include "config/forwarder_config.h"
#include "net/address.h"

namespace culvert::config {

// At the start, at each reload, and for --check-config. FAILED_PRECONDITION without --insecure;
// INVALID_ARGUMENT if with it the program would listen beyond loopback or dial a broker there.
absl::Status CheckCredentials(const BrokerConfig& config);
absl::Status CheckCredentials(const AgentConfig& config);
absl::Status CheckCredentials(const ForwarderConfig& config);

// For the address that a broker's name resolved to, before dialling it without credentials.
// PERMISSION_DENIED beyond loopback.
absl::Status CheckInsecurePeer(const net::Address& peer);

}  // namespace culvert::config
