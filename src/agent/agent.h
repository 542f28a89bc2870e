// culvert-agent run.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "config/agent_config.h"

namespace culvert::agent {

// Registers with a broker and serves `tcp` until a signal ends it. Returns the exit code. `parse`
// reads the configuration again, for SIGHUP.
int Run(const config::AgentConfig& config,
        const std::function<absl::StatusOr<config::Parsed<config::AgentConfig>>()>& parse);

}  // namespace culvert::agent
