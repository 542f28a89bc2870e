#include "config/main.h"

#include "agent/agent.h"

int main(int argc, char** argv) {
  return culvert::config::Main<culvert::config::AgentConfig>(
      "culvert-agent", argc, argv, culvert::config::ParseAgentCommand, culvert::agent::Run);
}
