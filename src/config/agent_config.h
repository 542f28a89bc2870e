// What culvert-agent is told.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/allow_rule.h"
#include "config/common.h"
#include "config/endpoint.h"
#include "config/environment.h"

namespace culvert::config {

struct AgentConfig {
  CommonConfig common;
  std::vector<Endpoint> brokers;  // at least one, in the order to try them
  std::string name;               // never empty
  std::string project = "projects/default";
  std::string region;
  std::string service_domain;
  AllowList allow;  // empty: nothing can be reached
  Duration dial_timeout = std::chrono::seconds(10);
};

// `culvert-agent run`; `args` without the program's name. No side effects, so that a reload calls
// it again with the same arguments.
absl::StatusOr<Parsed<AgentConfig>> ParseAgentCommand(const std::vector<std::string>& args,
                                                      const Environment& environment);

}  // namespace culvert::config
