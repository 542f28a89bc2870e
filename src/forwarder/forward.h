// culvert forward.
#pragma once

#include "config/forwarder_config.h"
#include "config/main.h"

namespace culvert::forwarder {

// Listens on every -L and forwards until a signal ends it. Returns the exit code. `parse` reads the
// configuration again, for SIGHUP.
int RunForward(const config::ForwarderConfig& config,
               const config::ParseAgain<config::ForwarderConfig>& parse);

}  // namespace culvert::forwarder
