// culvert-broker serve.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "config/broker_config.h"

namespace culvert::broker {

// Serves until a signal ends it. Returns the exit code. `parse` reads the configuration again, for
// SIGHUP.
int Run(const config::BrokerConfig& config,
        const std::function<absl::StatusOr<config::Parsed<config::BrokerConfig>>()>& parse);

}  // namespace culvert::broker
