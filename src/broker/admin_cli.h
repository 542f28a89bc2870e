// The admin commands of culvert-broker's command line.
#pragma once

#include "broker/admin.h"
#include "config/broker_config.h"

namespace culvert::broker {

// `config.admin` as Admin takes it. Not for audit, which asks nobody.
Json AdminRequest(const config::AdminCommand& command);

// Does what `config.admin` says and prints the result. Returns the exit code.
int RunAdmin(const config::BrokerConfig& config);

}  // namespace culvert::broker
