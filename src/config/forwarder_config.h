// What culvert, the user's side, is told.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/common.h"
#include "config/endpoint.h"
#include "config/enrolment.h"
#include "config/environment.h"
#include "config/forward_spec.h"
#include "config/login.h"
#include "config/projects_config.h"
#include "culvert/client.h"

namespace culvert::config {

struct KnownAgentsCommand {
  enum class Action { kList, kAdd, kRemove };
  Action action = Action::kList;
  std::string agent;
  std::string key;  // kAdd only
};

struct ForwarderConfig {
  enum class Command {
    kForward,
    kConnect,
    kEnroll,
    kRenew,
    kLogin,
    kWhoAmI,
    kAgents,
    kKnownAgents,
    kRendezvous,
    kProjects,
    kStatus
  };

  CommonConfig common;
  Command command = Command::kForward;
  std::vector<Endpoint> brokers;  // never empty
  std::string name;               // who this consumer is; empty: the identity's
  std::string project;            // empty: the identity's
  std::string region;
  std::string service_domain;
  std::vector<ForwardSpec> forwards;  // kForward: at least one
  ConnectSpec connect;                // kConnect only
  Duration open_timeout = std::chrono::seconds(10);
  Duration resume_timeout = std::chrono::minutes(5);
  PathChoice path = PathChoice::kAuto;
  EndToEndChoice end_to_end = EndToEndChoice::kRequired;
  bool allow_clear_data = false;                  // at the data port, where end_to_end is off
  bool rotate_key = false;                        // renewals bring new keys
  bool json = false;                              // results on stdout as JSON
  EnrolConfig enrol;                              // kEnroll only
  LoginConfig login;                              // kLogin only
  std::string with_agent;                         // kRendezvous only; empty: of no agent
  KnownAgentsCommand known_agents;                // kKnownAgents only
  ProjectsConfig projects;                        // kProjects only
  std::map<std::string, std::string> agent_keys;  // by name; counts more than what is known
};

// Every command of `culvert`; `args` without the program's name. No side effects, so
// that a reload calls it again with the same arguments.
absl::StatusOr<Parsed<ForwarderConfig>> ParseForwarderCommand(const std::vector<std::string>& args,
                                                              const Environment& environment);

}  // namespace culvert::config
