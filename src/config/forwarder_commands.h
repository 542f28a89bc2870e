// The commands of `culvert` beside forward and connect. Used inside src/config only.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "config/forwarder_config.h"
#include "config/program.h"

namespace culvert::config {

// `shared` are the settings of the config file, which all commands share. All arguments outlive the
// commands.
std::vector<Command> QueryCommands(ForwarderConfig& config, const Settings& shared,
                                   const Environment& environment);

// Fills in the brokers of the enrolment, or the default.
absl::Status FinishBrokers(ForwarderConfig& config);

}  // namespace culvert::config
