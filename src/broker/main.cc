#include "config/main.h"

#include "broker/serve.h"

int main(int argc, char** argv) {
  return culvert::config::Main<culvert::config::BrokerConfig>(
      "culvert-broker", argc, argv, culvert::config::ParseBrokerCommand, culvert::broker::Run);
}
