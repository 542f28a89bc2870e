// The commands of `culvert` that ask and end: enroll, renew, whoami, agents, known-agents.
#pragma once

#include "config/forwarder_config.h"

namespace culvert::forwarder {

// Each returns the exit code.
int RunEnroll(const config::ForwarderConfig& config);
int RunRenew(const config::ForwarderConfig& config);
int RunWhoAmI(const config::ForwarderConfig& config);
int RunAgents(const config::ForwarderConfig& config);
int RunKnownAgents(const config::ForwarderConfig& config);

}  // namespace culvert::forwarder
