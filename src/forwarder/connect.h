// culvert connect.
#pragma once

#include "config/forwarder_config.h"

namespace culvert::forwarder {

// When the tunnel failed: what ssh expects of a ProxyCommand.
inline constexpr int kExitTunnelFailed = 255;

// Joins standard input and output to the target until both directions have ended. Returns 0 on a
// clean end, else kExitTunnelFailed with one line of cause on stderr; without a line when SIGHUP
// ended it or nobody reads standard output any more.
int RunConnect(const config::ForwarderConfig& config);

}  // namespace culvert::forwarder
