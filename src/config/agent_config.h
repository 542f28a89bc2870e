// What culvert-agent is told.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "config/allow_rule.h"
#include "config/common.h"
#include "config/endpoint.h"
#include "config/enrolment.h"
#include "config/environment.h"
#include "culvert/client.h"

namespace culvert::config {

struct AgentConfig {
  enum class Command { kRun, kEnroll, kRenew, kStatus };

  CommonConfig common;
  Command command = Command::kRun;
  std::vector<Endpoint> brokers;  // at least one, in the order to try them
  std::string name;               // empty: the identity's
  std::string project;            // empty: the identity's
  std::string region;
  std::string service_domain;
  AllowList allow;                 // empty: nothing can be reached
  std::vector<std::string> users;  // entries of a UserList; empty: whoever the broker lets in
  bool rotate_key = false;         // renewals bring new keys
  bool plaintext = false;          // serve users without end-to-end encryption too
  bool allow_clear_data = false;   // and that at the data port
  Duration dial_timeout = std::chrono::seconds(10);
  Duration resume_timeout = std::chrono::minutes(5);
  PathChoice path = PathChoice::kAuto;
  EnrolConfig enrol;  // kEnroll only
  bool json = false;  // kStatus only
};

// `culvert-agent run` and `enroll`; `args` without the program's name. No side effects, so that a
// reload calls it again with the same arguments.
absl::StatusOr<Parsed<AgentConfig>> ParseAgentCommand(const std::vector<std::string>& args,
                                                      const Environment& environment);

}  // namespace culvert::config
