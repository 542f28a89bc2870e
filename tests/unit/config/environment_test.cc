#include "config/environment.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

using Files = std::vector<std::string>;

Environment Of(bool root, std::map<std::string, std::string, std::less<>> variables = {}) {
  Environment environment;
  environment.root = root;
  environment.home = root ? "/root" : "/home/ann";
  environment.variables = std::move(variables);
  return environment;
}

TEST_CASE("DefaultStateDir depends on the program and on who runs it", "[environment]") {
  CHECK(DefaultStateDir(Of(true), ProgramKind::kBroker) == "/var/lib/culvert-broker");
  CHECK(DefaultStateDir(Of(true), ProgramKind::kAgent) == "/var/lib/culvert-agent");
  CHECK(DefaultStateDir(Of(true), ProgramKind::kForwarder) == "/root/.local/state/culvert");
  CHECK(DefaultStateDir(Of(false), ProgramKind::kBroker) ==
        "/home/ann/.local/state/culvert-broker");
  CHECK(DefaultStateDir(Of(false), ProgramKind::kAgent) == "/home/ann/.local/state/culvert-agent");
  CHECK(DefaultStateDir(Of(false), ProgramKind::kForwarder) == "/home/ann/.local/state/culvert");
}

TEST_CASE("DefaultStateDir follows systemd, then XDG", "[environment]") {
  CHECK(DefaultStateDir(Of(false, {{"STATE_DIRECTORY", "/var/lib/private/a:/b"}}),
                        ProgramKind::kAgent) == "/var/lib/private/a");
  CHECK(DefaultStateDir(Of(false, {{"XDG_STATE_HOME", "/x"}}), ProgramKind::kAgent) ==
        "/x/culvert-agent");
  CHECK(DefaultStateDir(Of(true, {{"XDG_STATE_HOME", "/x"}}), ProgramKind::kAgent) ==
        "/var/lib/culvert-agent");
  // The XDG specification: a relative path is to be ignored.
  CHECK(DefaultStateDir(Of(false, {{"XDG_STATE_HOME", "x"}}), ProgramKind::kForwarder) ==
        "/home/ann/.local/state/culvert");
}

TEST_CASE("DefaultStateDir is never empty", "[environment]") {
  CHECK(DefaultStateDir(Environment(), ProgramKind::kForwarder) == "/var/lib/culvert");
}

TEST_CASE("DefaultConfigFiles depends on the program and on who runs it", "[environment]") {
  CHECK(DefaultConfigFiles(Of(true), ProgramKind::kBroker) == Files{"/etc/culvert/broker.toml"});
  CHECK(DefaultConfigFiles(Of(true), ProgramKind::kAgent) == Files{"/etc/culvert/agent.toml"});
  CHECK(DefaultConfigFiles(Of(false), ProgramKind::kBroker) ==
        Files{"/home/ann/.config/culvert/broker.toml"});
  CHECK(DefaultConfigFiles(Of(false, {{"XDG_CONFIG_HOME", "/x"}}), ProgramKind::kAgent) ==
        Files{"/x/culvert/agent.toml"});
  CHECK(DefaultConfigFiles(Of(false), ProgramKind::kForwarder) ==
        Files{"/home/ann/.config/culvert/forward.toml", "/etc/culvert/forward.toml"});
  CHECK(DefaultConfigFiles(Environment(), ProgramKind::kAgent).empty());
}

TEST_CASE("Environment takes an empty variable for one that is not set", "[environment]") {
  const Environment environment = Of(false, {{"A", ""}, {"B", "b"}});
  CHECK_FALSE(environment.Get("A").has_value());
  CHECK(environment.Get("B") == "b");
  CHECK_FALSE(environment.Get("C").has_value());
}

TEST_CASE("CurrentEnvironment reads the process's variables", "[environment]") {
  const Environment environment = CurrentEnvironment();
  CHECK(environment.Get("PATH").has_value());
  CHECK((environment.home.empty() || environment.home.back() != '/'));
}

}  // namespace
}  // namespace culvert::config
