#include "config/main.h"

#include "config/status_socket.h"
#include "forwarder/connect.h"
#include "forwarder/forward.h"
#include "forwarder/login.h"
#include "forwarder/make_client.h"
#include "forwarder/projects.h"
#include "forwarder/queries.h"
#include "forwarder/rendezvous.h"

namespace {

int Run(const culvert::config::ForwarderConfig& config,
        const culvert::config::ParseAgain<culvert::config::ForwarderConfig>& parse) {
  using Command = culvert::config::ForwarderConfig::Command;
  switch (config.command) {
    case Command::kForward:
      return culvert::forwarder::RunForward(config, parse);
    case Command::kConnect:
      return culvert::forwarder::RunConnect(config);
    case Command::kEnroll:
      return culvert::forwarder::RunEnroll(config);
    case Command::kRenew:
      return culvert::forwarder::RunRenew(config);
    case Command::kLogin:
      return culvert::forwarder::RunLogin(config);
    case Command::kWhoAmI:
      return culvert::forwarder::RunWhoAmI(config);
    case Command::kAgents:
      return culvert::forwarder::RunAgents(config);
    case Command::kKnownAgents:
      return culvert::forwarder::RunKnownAgents(config);
    case Command::kRendezvous:
      return culvert::forwarder::RunRendezvous(config);
    case Command::kProjects:
      return culvert::forwarder::RunProjects(config);
    case Command::kStatus:
      return culvert::config::RunStatus(culvert::forwarder::kProgram, config.common, config.json);
  }
  return culvert::config::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  return culvert::config::Main<culvert::config::ForwarderConfig>(
      culvert::forwarder::kProgram, argc, argv, culvert::config::ParseForwarderCommand, Run);
}
