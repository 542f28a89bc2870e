// culvert rendezvous: tokens for two programs that are to meet at the broker's data port.
#pragma once

#include "config/forwarder_config.h"

namespace culvert::forwarder {

// Prints the two tokens. Returns the exit code.
int RunRendezvous(const config::ForwarderConfig& config);

}  // namespace culvert::forwarder
