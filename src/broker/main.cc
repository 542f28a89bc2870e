#include "config/main.h"

#include "broker/admin_cli.h"
#include "broker/serve.h"

namespace {

int Run(const culvert::config::BrokerConfig& config,
        const culvert::config::ParseAgain<culvert::config::BrokerConfig>& parse) {
  return config.admin.name.empty() ? culvert::broker::Run(config, parse)
                                   : culvert::broker::RunAdmin(config);
}

}  // namespace

int main(int argc, char** argv) {
  return culvert::config::Main<culvert::config::BrokerConfig>(
      "culvert-broker", argc, argv, culvert::config::ParseBrokerCommand, Run);
}
