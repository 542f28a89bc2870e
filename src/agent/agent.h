// culvert-agent run.
#pragma once

#include "config/agent_config.h"
#include "config/main.h"

namespace culvert::agent {

// Registers with a broker and serves `tcp` until a signal ends it. Returns the exit code. `parse`
// reads the configuration again, for SIGHUP.
int Run(const config::AgentConfig& config, const config::ParseAgain<config::AgentConfig>& parse);

}  // namespace culvert::agent
