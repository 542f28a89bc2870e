// `culvert projects ...`. Used inside src/config only.
#pragma once

#include <vector>

#include "config/forwarder_config.h"
#include "config/program.h"

namespace culvert::config {

// `shared` are the settings of the config file. Both arguments outlive the commands.
std::vector<Command> ProjectCommands(ForwarderConfig& config, const Settings& shared);

}  // namespace culvert::config
