#include "config/agent_config.h"

#include <string>
#include <vector>

#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Args = std::vector<std::string>;

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run reaches nothing by default", "[agent_config]") {
  const Args args = {"run", "--broker", "broker.example:443", "--name", "edge-1"};
  const AgentConfig config = *ParseAgentCommand(args, environment)->config;
  REQUIRE(config.brokers.size() == 1);
  CHECK(config.brokers[0].ToString() == "broker.example:443");
  CHECK(config.name == "edge-1");
  CHECK(config.project.empty());  // the identity's
  CHECK(config.region.empty());
  CHECK(config.service_domain.empty());
  CHECK(config.allow.rules().empty());
  CHECK(config.dial_timeout == std::chrono::seconds(10));
  CHECK(config.common.state_dir == directory + "/home/.local/state/culvert-agent");
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run takes its settings from flags",
                 "[agent_config]") {
  const Args args = {"run",          "--broker",         "a",           "--broker",
                     "b:1",          "--name",           "edge-1",      "--project",
                     "lab",          "--allow",          "db.lan:5432", "--allow",
                     "10.0.0.0/8:*", "--service-domain", "svc.example", "--region",
                     "eu",           "--dial-timeout",   "2s"};
  const AgentConfig config = *ParseAgentCommand(args, environment)->config;
  REQUIRE(config.brokers.size() == 2);
  CHECK(config.brokers[1].ToString() == "b:1");
  CHECK(config.project == "projects/lab");
  CHECK(config.region == "eu");
  CHECK(config.service_domain == "svc.example");
  REQUIRE(config.allow.rules().size() == 2);
  CHECK(config.allow.rules()[1].ToString() == "10.0.0.0/8:*");
  CHECK(config.dial_timeout == std::chrono::seconds(2));
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run is told what carries connections",
                 "[agent_config]") {
  const auto path_of = [this](const Args& more) {
    Args args = {"run", "--broker", "b"};
    args.insert(args.end(), more.begin(), more.end());
    return ParseAgentCommand(args, environment)->config->path;
  };
  CHECK(path_of({}) == PathChoice::kAuto);
  CHECK(path_of({"--path", "stream"}) == PathChoice::kStream);
  CHECK(path_of({"--config", Write("agent.toml", "path = 'stream'")}) == PathChoice::kStream);
  environment.variables["CULVERT_PATH"] = "stream";
  CHECK(path_of({}) == PathChoice::kStream);
  CHECK(path_of({"--path", "auto"}) == PathChoice::kAuto);
  CHECK(MessageOf(ParseAgentCommand({"run", "--path", "fast"}, environment)) ==
        "--path \"fast\": expected auto or stream");
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run takes its settings from variables",
                 "[agent_config]") {
  environment.variables = {{"CULVERT_BROKER", "a,b"},
                           {"CULVERT_NAME", "edge-1"},
                           {"CULVERT_PROJECT", "projects/lab"},
                           {"CULVERT_ALLOW", "localhost:22, 10.0.0.0/8:*"},
                           {"CULVERT_STATE_DIR", "/s"}};
  const AgentConfig config = *ParseAgentCommand({"run"}, environment)->config;
  CHECK(config.brokers.size() == 2);
  CHECK(config.name == "edge-1");
  CHECK(config.project == "projects/lab");
  CHECK(config.allow.rules().size() == 2);
  CHECK(config.common.state_dir == "/s");
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run takes its settings from a file",
                 "[agent_config]") {
  const std::string path = Write("agent.toml",
                                 "broker = 'one.example'\n"
                                 "name = 'edge-1'\n"
                                 "project = 'lab'\n"
                                 "allow = [\n  'localhost:22',\n  '[fd00::/8]:*',\n]\n"
                                 "dial_timeout = '3s'\n");
  const AgentConfig config = *ParseAgentCommand({"run", "--config", path}, environment)->config;
  REQUIRE(config.brokers.size() == 1);
  CHECK(config.brokers[0].ToString() == "one.example");
  CHECK(config.allow.rules().size() == 2);
  CHECK(config.dial_timeout == std::chrono::seconds(3));
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run names the element of a list that is wrong",
                 "[agent_config]") {
  auto [content, message] = GENERATE(table<std::string, std::string>({
      {"allow = ['localhost:22',\n  'db:0']",
       ":2:3: allow \"db:0\": port \"0\": a port is a number from 1 to 65535"},
      {"allow = ['localhost:22', 22]",
       ":1:26: allow: expected a string or an array of strings, found an integer"},
      {"allow = true", ":1:9: allow: expected a string or an array of strings, found a boolean"},
      {"allow = 'localhost'",
       ":1:9: allow \"localhost\": expected HOST:PORT, HOST:*, CIDR:PORT or CIDR:*, IPv6 in "
       "brackets such as [fd00::/8]:*"},
      {"alow = []", ":1:8: unknown key \"alow\""},
  }));
  CAPTURE(content);
  const std::string path = Write("agent.toml", content);
  const Args args = {"run", "--broker", "b", "--name", "e", "--config", path};
  CHECK(MessageOf(ParseAgentCommand(args, environment)) == path + message);
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run asks for what it cannot do without",
                 "[agent_config]") {
  CHECK(MessageOf(ParseAgentCommand({"run"}, environment)) ==
        "no identity in " + directory +
            "/home/.local/state/culvert-agent: run 'culvert-agent enroll --broker HOST:PORT "
            "--token-file FILE' first");
  CHECK(MessageOf(ParseAgentCommand({"run", "--insecure", "--name", "edge-1"}, environment)) ==
        "no broker: give --broker HOST:PORT, CULVERT_BROKER or broker in the config file");
  CHECK(MessageOf(ParseAgentCommand({"run", "--insecure", "--broker", "b"}, environment)) ==
        "no name: give --name NAME, CULVERT_NAME or name in the config file");
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run takes no keys of users for plaintext",
                 "[agent_config]") {
  const std::string key = "key:" + std::string(52, 'a');
  CHECK(MessageOf(ParseAgentCommand({"run", "--broker", "b", "--user", key, "--plaintext"},
                                    environment)) ==
        "--plaintext with --user key:KEYID: without end-to-end encryption a key proves nothing; "
        "name users, or leave --plaintext out");
  const std::string path =
      Write("agent.toml", "plaintext = true\nusers = [\"alice\", \"" + key + "\"]\n");
  CHECK_FALSE(ParseAgentCommand({"run", "--broker", "b", "--config", path}, environment).ok());
  CHECK(ParseAgentCommand({"run", "--broker", "b", "--user", "alice", "--plaintext"}, environment)
            .ok());
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run allows no clear data unless it is told to",
                 "[agent_config]") {
  const Args args = {"run", "--broker", "b"};
  CHECK_FALSE(ParseAgentCommand(args, environment)->config->allow_clear_data);
  environment.variables["CULVERT_ALLOW_CLEAR_DATA"] = "true";
  CHECK(ParseAgentCommand(args, environment)->config->allow_clear_data);
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run takes the brokers of its enrolment",
                 "[agent_config]") {
  const std::string file = Write("home/.local/state/culvert-agent/brokers", "a:7400\n[::1]:7401\n");
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  const AgentConfig config = *ParseAgentCommand({"run"}, environment)->config;
  REQUIRE(config.brokers.size() == 2);
  CHECK(config.brokers[1].ToString() == "[::1]:7401");
  CHECK(ParseAgentCommand({"run", "--broker", "b"}, environment)->config->brokers.size() == 1);
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent enroll needs a broker and a token",
                 "[agent_config]") {
  CHECK(MessageOf(ParseAgentCommand({"enroll", "--token-file", "f"}, environment)) ==
        "no broker: give --broker HOST:PORT, CULVERT_BROKER or broker in the config file");
  CHECK(MessageOf(ParseAgentCommand({"enroll", "--broker", "b"}, environment)) ==
        "no token: give --token-file FILE or CULVERT_TOKEN; 'culvert-broker token create' makes "
        "one");
  const Args args = {"enroll", "--broker", "b", "--token-file", "f", "--force"};
  const AgentConfig config = *ParseAgentCommand(args, environment)->config;
  CHECK(config.command == AgentConfig::Command::kEnroll);
  CHECK(config.enrol.token_file == "f");
  CHECK(config.enrol.force);
  environment.variables["CULVERT_TOKEN"] = "t";
  CHECK(ParseAgentCommand({"enroll", "--broker", "b"}, environment)->config->enrol.token == "t");
}

TEST_CASE_METHOD(ConfigFixture, "culvert-agent run names the flag that is wrong",
                 "[agent_config]") {
  auto [args, message] = GENERATE(table<Args, std::string>({
      {{"--broker", "::1"}, "--broker \"::1\": expected HOST:PORT, an IPv6 address in brackets"},
      {{"--broker", "a:0"}, "--broker \"a:0\": port \"0\": a port is a number from 1 to 65535"},
      {{"--name", "a b"},
       "--name \"a b\": a name is 1 to 128 of A-Z, a-z, 0-9, '.', '_', '-' and starts with a "
       "letter "
       "or digit"},
      {{"--project", "a/b"},
       "--project \"a/b\": expected ID or projects/ID, an ID being 1 to 128 of A-Z, a-z, 0-9, '_', "
       "'.', '-', not starting with '.' or '-'"},
      {{"--allow", "*:22"},
       "--allow \"*:22\": host \"*\": a name consists of a-z, 0-9, '-', '_' and '.'"},
      {{"--allow", "10.0.0.1/8:22"},
       "--allow \"10.0.0.1/8:22\": prefix \"10.0.0.1/8\": bits after the prefix are set"},
      {{"--service-domain", "A"}, "--service-domain \"A\": expected a lower-case DNS name"},
  }));
  CAPTURE(args);
  Args all = {"run"};
  all.insert(all.end(), args.begin(), args.end());
  CHECK(MessageOf(ParseAgentCommand(all, environment)) == message);
}

}  // namespace
}  // namespace culvert::config
