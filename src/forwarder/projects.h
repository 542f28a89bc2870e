// `culvert projects ...`.
#pragma once

#include "config/forwarder_config.h"

namespace culvert::forwarder {

// Returns the exit code.
int RunProjects(const config::ForwarderConfig& config);

}  // namespace culvert::forwarder
