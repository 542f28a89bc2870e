// The commands about an authority whose key is not on the broker's machine: ca create, ca sign and
// ca import. What waits is listed by ca requests, a request like others.
#pragma once

#include "absl/status/status.h"
#include "config/broker_config.h"

namespace culvert::broker {

bool IsCaCommand(const config::AdminCommand& command);

// Blocks.
absl::Status RunCaCommand(const config::BrokerConfig& config);

}  // namespace culvert::broker
