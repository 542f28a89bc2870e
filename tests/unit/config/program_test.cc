// The rules that all commands share, seen through the three programs.
#include "config/program.h"

#include <string>
#include <vector>

#include "config/agent_config.h"
#include "config/broker_config.h"
#include "config/forwarder_config.h"
#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Args = std::vector<std::string>;

TEST_CASE_METHOD(ConfigFixture, "A program without a command prints its usage and fails",
                 "[program]") {
  const std::string message = MessageOf(ParseAgentCommand({}, environment));
  CHECK(message.substr(0, 60) == "no command given\nusage: culvert-agent COMMAND [options]\n\nLet");
  CHECK(ParseBrokerCommand({}, environment).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_FALSE(ParseForwarderCommand({}, environment).ok());
}

TEST_CASE_METHOD(ConfigFixture, "A program names an unknown command or option and its help",
                 "[program]") {
  auto [args, message] = GENERATE(table<Args, std::string>({
      {{"walk"}, "unknown command \"walk\"; see 'culvert-agent --help'"},
      {{"--broker", "a"}, "unknown option \"--broker\"; see 'culvert-agent --help'"},
      {{"help", "walk"}, "unknown command \"walk\"; see 'culvert-agent --help'"},
      {{""}, "unknown command \"\"; see 'culvert-agent --help'"},
      {{"run", "--brokr", "a"}, "unknown option --brokr; see 'culvert-agent run --help'"},
      {{"run", "--brokr=a"}, "unknown option --brokr; see 'culvert-agent run --help'"},
      {{"run", "-x"}, "unknown option -x; see 'culvert-agent run --help'"},
      {{"run", "-L", "1:a:1"}, "unknown option -L; see 'culvert-agent run --help'"},
      {{"run", "--x"}, "unknown option --x; see 'culvert-agent run --help'"},
      {{"run", "--name!"}, "unknown option --name!; see 'culvert-agent run --help'"},
      {{"run", "--bad\nline"}, "unknown option --bad\\nline; see 'culvert-agent run --help'"},
      {{"run", "--name"}, "option --name needs a value; see 'culvert-agent run --help'"},
      {{"run", "edge-1"}, "unexpected argument \"edge-1\"; see 'culvert-agent run --help'"},
      {{"run", "--", "edge-1"}, "unexpected argument \"edge-1\"; see 'culvert-agent run --help'"},
  }));
  CAPTURE(args);
  CHECK(MessageOf(ParseAgentCommand(args, environment)) == message);
}

TEST_CASE_METHOD(ConfigFixture, "A program refuses an argument of more than 4096 bytes",
                 "[program]") {
  const Args fits = {"run", "--name=" + std::string(4089, 'x')};
  const Args too_long = {"run", "--name=" + std::string(200000, 'x')};
  CHECK(MessageOf(ParseAgentCommand(fits, environment)).find("a name is") != std::string::npos);
  CHECK(MessageOf(ParseAgentCommand(too_long, environment)).find("longer than 4096 bytes") !=
        std::string::npos);
}

TEST_CASE_METHOD(ConfigFixture, "A program prints help and version on demand", "[program]") {
  auto [args, start] = GENERATE(table<Args, std::string>({
      {{"help"}, "usage: culvert-agent COMMAND"},
      {{"--help"}, "usage: culvert-agent COMMAND"},
      {{"-h"}, "usage: culvert-agent COMMAND"},
      {{"help", "run"}, "usage: culvert-agent run [options]"},
      {{"run", "--help"}, "usage: culvert-agent run [options]"},
      {{"run", "-h"}, "usage: culvert-agent run [options]"},
      {{"run", "--name", "!", "-h"}, "usage: culvert-agent run [options]"},
      {{"version"}, "culvert-agent 0."},
      {{"--version"}, "culvert-agent 0."},
      {{"run", "--version"}, "culvert-agent 0."},
  }));
  CAPTURE(args);
  const auto parsed = ParseAgentCommand(args, environment);
  REQUIRE(parsed.ok());
  CHECK_FALSE(parsed->config.has_value());
  CHECK(parsed->text.substr(0, start.size()) == start);
  CHECK(parsed->text.back() == '\n');
}

TEST_CASE_METHOD(ConfigFixture, "The switch --check-config parses everything and runs nothing",
                 "[program]") {
  const Args good = {"run",    "--broker",   "localhost",     "--name",
                     "edge-1", "--insecure", "--check-config"};
  const auto parsed = ParseAgentCommand(good, environment);
  REQUIRE(parsed.ok());
  CHECK(parsed->text == "configuration ok\n");
  CHECK_FALSE(parsed->config.has_value());

  CHECK_FALSE(ParseAgentCommand({"run", "--name", "edge-1", "--check-config"}, environment).ok());
  CHECK(
      MessageOf(ParseAgentCommand({"run", "--broker", "localhost", "--name", "a", "--check-config"},
                                  environment))
          .find("enroll --broker") != std::string::npos);
  CHECK(MessageOf(ParseAgentCommand(
            {"run", "--broker", "b", "--name", "a", "--insecure", "--check-config"},
            environment)) == "--insecure is for loopback only, and b is not loopback");
  CHECK(MessageOf(ParseForwarderCommand({"forward", "-L", "1:e:1", "--check-config"}, environment))
            .find("enroll --broker") != std::string::npos);
  CHECK(MessageOf(ParseForwarderCommand(
            {"connect", "e:1", "--broker", "b", "--insecure", "--check-config"}, environment)) ==
        "--insecure is for loopback only, and b is not loopback");
  CHECK(MessageOf(ParseBrokerCommand({"serve", "--check-config", "--insecure", "--listen", "*:1"},
                                     environment)) ==
        "--insecure is for loopback only, and *:1 is not loopback");
  // With identities a broker may listen anywhere.
  CHECK(ParseBrokerCommand({"serve", "--check-config", "--listen", "*:1"}, environment).ok());
}

TEST_CASE_METHOD(ConfigFixture, "A command reads the first default config file that exists",
                 "[program]") {
  const Args args = {"connect", "edge-1:22"};
  REQUIRE(ParseForwarderCommand(args, environment)->config->common.config_file.empty());

  const std::string system = Write("etc/culvert/forward.toml", "project = 'system'");
  auto config = *ParseForwarderCommand(args, environment)->config;
  CHECK(config.common.config_file == system);
  CHECK(config.project == "projects/system");

  const std::string own = Write("home/.config/culvert/forward.toml", "project = 'own'");
  config = *ParseForwarderCommand(args, environment)->config;
  CHECK(config.common.config_file == own);
  CHECK(config.project == "projects/own");
}

TEST_CASE_METHOD(ConfigFixture, "A config file that is named must exist", "[program]") {
  const std::string missing = directory + "/none.toml";
  const std::string message = "read config file " + missing + ": No such file or directory";
  CHECK(MessageOf(ParseBrokerCommand({"serve", "--config", missing}, environment)) == message);
  environment.variables["CULVERT_CONFIG"] = missing;
  CHECK(MessageOf(ParseBrokerCommand({"serve"}, environment)) == message);
  const std::string other = Write("b.toml", "region = 'eu'");
  CHECK(ParseBrokerCommand({"serve", "--config", other}, environment)->config->region == "eu");
  CHECK(
      MessageOf(ParseBrokerCommand({"serve", "--config", ""}, environment)).find("No such file") !=
      std::string::npos);
}

TEST_CASE_METHOD(ConfigFixture, "A default config file that cannot be read is an error",
                 "[program]") {
  Write("home/.config/culvert/broker.toml/directory", "");
  CHECK(MessageOf(ParseBrokerCommand({"serve"}, environment)).find("Is a directory") !=
        std::string::npos);
}

TEST_CASE_METHOD(ConfigFixture, "A config file cannot open anything by a typo", "[program]") {
  auto [content, message] = GENERATE(table<std::string, std::string>({
      {"lisen = '0.0.0.0:1'", ":1:9: unknown key \"lisen\""},
      {"region = 'eu'\n[limits]\nmax_connections = 1", ":2:1: unknown key \"limits\""},
      {"config = 'x'", ":1:10: unknown key \"config\""},
      {"help = true", ":1:8: unknown key \"help\""},
      {"'' = true", ":1:6: unknown key \"\""},
      {"max-connections = 1", ":1:19: unknown key \"max-connections\""},
      {"listen = 7400",
       ":1:10: listen: expected a string or an array of strings, found an integer"},
      {"\ninsecure = 'yes'", ":2:12: insecure: expected true or false, found a string"},
      {"insecure = 1", ":1:12: insecure: expected true or false, found an integer"},
      {"max_connections = '1'", ":1:19: max_connections: expected an integer, found a string"},
      {"max_connections = 1.0", ":1:19: max_connections: expected an integer, found a float"},
      {"max_connections = -1",
       ":1:19: max_connections \"-1\": expected a number from 0 to 4294967295"},
      {"grace = true", ":1:9: grace: expected a string or an integer, found a boolean"},
      {"grace = 2020-01-01", ":1:9: grace: expected a string or an integer, found a date or time"},
      {"region = ['eu']", ":1:10: region: expected a string, found an array"},
      {"listen = 'x'", ":1:10: listen \"x\": expected ADDR:PORT, an IPv6 address in brackets"},
      {"log_level = 'loud'",
       ":1:13: log_level \"loud\": expected trace, debug, info, warning, error or off"},
      {"listen = ", ":1:10: Error while parsing key-value pair: encountered end-of-file"},
  }));
  CAPTURE(content);
  const std::string path = Write("broker.toml", content);
  CHECK(MessageOf(ParseBrokerCommand({"serve", "--config", path}, environment)) == path + message);
}

TEST_CASE_METHOD(ConfigFixture, "Settings that all commands share are read", "[program]") {
  const std::string path = Write("b.toml",
                                 "state_dir = '/s'\nlog_level = 'debug'\ninsecure = true\n"
                                 "memory_limit = '64M'\ngrace = 5\n");
  const CommonConfig common =
      ParseBrokerCommand({"serve", "--config", path}, environment)->config->common;
  CHECK(common.state_dir == "/s");
  CHECK(common.config_file == path);
  CHECK(common.log_level == LogLevel::kDebug);
  CHECK(common.insecure);
  CHECK(common.memory_limit == 64U << 20);
  CHECK(common.grace == std::chrono::seconds(5));
}

}  // namespace
}  // namespace culvert::config
