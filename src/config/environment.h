// What a parser of settings may know about the process and the machine: taken once, in main, so
// that tests make their own and a reload reads the same.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace culvert::config {

struct Environment {
  std::map<std::string, std::string, std::less<>> variables;
  bool root = false;
  std::string home;  // without a trailing slash; empty if unknown, as are user and host
  std::string user;
  std::string host;
  std::string etc = "/etc";

  // A variable that is set and not empty.
  std::optional<std::string> Get(std::string_view name) const;
};

// The process's own. Fields that cannot be learnt stay empty.
Environment CurrentEnvironment();

enum class ProgramKind { kBroker, kAgent, kForwarder };

// $STATE_DIRECTORY (systemd); else /var/lib/culvert-broker or -agent for root's daemons; else
// culvert, culvert-broker or culvert-agent in $XDG_STATE_HOME or ~/.local/state.
std::string DefaultStateDir(const Environment& environment, ProgramKind program);

// Where a config file is looked for when none is named, the first that exists counts:
// /etc/culvert/NAME.toml for root's daemons, culvert/NAME.toml in $XDG_CONFIG_HOME or ~/.config
// otherwise; the forwarder looks in both, the user's own first. NAME is broker, agent or forward.
std::vector<std::string> DefaultConfigFiles(const Environment& environment, ProgramKind program);

}  // namespace culvert::config
