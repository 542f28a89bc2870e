#include "config/broker_admin.h"

#include <string>
#include <vector>

#include "config/broker_config.h"
#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using namespace std::chrono_literals;
using Args = std::vector<std::string>;

struct BrokerAdminFixture : ConfigFixture {
  AdminCommand Parse(const Args& args) const {
    const auto parsed = ParseBrokerCommand(args, environment);
    INFO(parsed.status().ToString());
    REQUIRE(parsed.ok());
    REQUIRE(parsed->config.has_value());
    return parsed->config->admin;
  }
};

TEST_CASE_METHOD(BrokerAdminFixture, "Admin commands take whom and what they are about",
                 "[broker_admin]") {
  AdminCommand command = Parse({"token", "create", "--agent", "edge-1"});
  CHECK(command.name == "token create");
  CHECK(command.project == "default");
  CHECK(command.subjects == std::vector<AdminSubject>{{"agent", "edge-1"}});
  CHECK(command.ttl == 1h);
  command = Parse({"token", "create", "--user", "alice", "--ttl", "5m", "--project", "projects/p"});
  CHECK(command.subjects == std::vector<AdminSubject>{{"user", "alice"}});
  CHECK(command.ttl == 5min);
  CHECK(command.project == "p");
  CHECK(Parse({"token", "revoke", "7"}).operand == "7");

  command = Parse({"policy", "allow", "--agent-principal", "edge-2", "--agent", "edge-*",
                   "--service", "tcp", "--target", "*:22", "--role", "caller"});
  CHECK(command.name == "policy allow");
  CHECK(command.subjects == std::vector<AdminSubject>{{"agent", "edge-2"}});
  CHECK(command.agent == "edge-*");
  CHECK(command.service == "tcp");
  CHECK(command.target == "*:22");
  CHECK(command.role == "caller");
  command = Parse({"policy", "revoke", "--group", "ops"});
  CHECK(command.agent == "*");
  CHECK(command.service == "*");
  CHECK(command.target.empty());
  CHECK(command.role == "connect");

  command = Parse({"group", "add", "ops", "--user", "alice", "--key", "k", "--user", "bob"});
  CHECK(command.operand == "ops");
  CHECK(command.subjects.size() == 3);
  command = Parse({"role", "add", "caller", "--permission", "connect", "--permission", "list"});
  CHECK(command.permissions == std::vector<std::string>{"connect", "list"});
  command = Parse({"revoke", "--key", "k", "--reason", "lost"});
  CHECK(command.subjects == std::vector<AdminSubject>{{"key", "k"}});
  CHECK(command.reason == "lost");
  CHECK_FALSE(command.successors);
  CHECK(Parse({"revoke", "--key", "k", "--successors"}).successors);
  CHECK(Parse({"unrevoke", "--key", "k"}).name == "unrevoke");
  CHECK(Parse({"principal", "list"}).name == "principal list");
  CHECK(Parse({"channels", "list", "--project", "lab"}).project == "lab");
  command = Parse({"channels", "kill", "5d2f"});
  CHECK(command.name == "channels kill");
  CHECK(command.operand == "5d2f");
  CHECK(Parse({"serve"}).name.empty());
}

TEST_CASE_METHOD(BrokerAdminFixture, "Quota commands take whose they are, and limits or none",
                 "[broker_admin]") {
  using Limits = std::map<std::string, std::optional<uint64_t>>;
  AdminCommand command =
      Parse({"quota", "set", "--project", "lab", "--agents", "100", "--channels", "0",
             "--bytes-per-second", "10MiB", "--new-channels-per-second", "unlimited"});
  CHECK(command.name == "quota set");
  CHECK(command.project == "lab");
  CHECK_FALSE(command.all_others);
  CHECK(command.limits == Limits{{"agents", 100},
                                 {"channels", 0},
                                 {"bytes_per_second", uint64_t{10} << 20},
                                 {"new_channels_per_second", std::nullopt}});
  command = Parse({"quota", "set", "--others", "--agents", "1"});
  CHECK(command.all_others);
  CHECK(Parse({"quota", "clear", "--project", "lab"}).project == "lab");
  CHECK(Parse({"quota", "clear", "--others"}).all_others);
  CHECK(Parse({"quota", "list"}).name == "quota list");
}

TEST_CASE_METHOD(BrokerAdminFixture, "The audit command takes times in both forms",
                 "[broker_admin]") {
  const AdminCommand command = Parse({"audit", "--since", "1h", "--until", "2026-01-31T08:00:00Z",
                                      "--user", "alice", "--kind", "deny"});
  const WallTime now = WallNow();
  CHECK(command.since.Resolve(now) == now - 1h);
  CHECK(FormatTime(command.until.Resolve(now)) == "2026-01-31T08:00:00.000Z");
  CHECK(command.kind == "deny");
  CHECK(Parse({"audit"}).until.Resolve(now) == now);
}

TEST_CASE_METHOD(BrokerAdminFixture, "Admin commands say in one line what is missing",
                 "[broker_admin]") {
  auto [args, message] = GENERATE(table<Args, std::string>({
      {{"token"}, "token needs to be followed by a command; see 'culvert-broker token --help'"},
      {{"token", "make"}, "unknown command \"token make\"; see 'culvert-broker token --help'"},
      {{"token", "--ttl", "1h"}, "unknown option \"--ttl\"; see 'culvert-broker token --help'"},
      {{"token", "create"}, "give one of --agent NAME and --user NAME"},
      {{"token", "create", "--agent", "a", "--user", "b"},
       "give one of --agent NAME and --user NAME"},
      {{"token", "create", "--agent", ""}, "--agent \"\": expected a value"},
      {{"token", "create", "--agent", "a", "--ttl", "0"}, "--ttl \"0\": expected more than 0"},
      {{"token", "revoke"},
       "expected one argument, the ID of a token; see 'culvert-broker token revoke --help'"},
      {{"channels", "kill"},
       "expected one argument, the ID of a channel; see 'culvert-broker channels kill --help'"},
      {{"policy", "list", "x"},
       "unexpected argument \"x\"; see 'culvert-broker policy list --help'"},
      {{"group", "add", "a", "b"},
       "expected one argument, the name of a group; see 'culvert-broker group add --help'"},
      {{"unrevoke"}, "give one of --key KEYID"},
      {{"quota", "set"},
       "give one of --agents, --channels, --bytes-per-second and --new-channels-per-second"},
      {{"quota", "set", "--others", "--project", "lab", "--agents", "1"},
       "give one of --project PROJECT and --others"},
      {{"quota", "clear", "--project", "lab", "--others"},
       "give one of --project PROJECT and --others"},
      {{"quota", "set", "--agents", "-1"},
       "--agents \"-1\": expected a number from 0 to 4294967295, or unlimited"},
      {{"quota", "set", "--bytes-per-second", "1K"},
       "--bytes-per-second \"1K\": expected bytes a second such as 10MiB, 512K or a number, from "
       "64KiB to 1024GiB, or unlimited"},
      {{"audit", "--since", "soon"},
       "--since \"soon\": expected a duration such as 30m or 1h, or a time such as "
       "2026-01-31T08:00:00Z"},
      {{"help", "token", "make"},
       "unknown command \"token make\"; see 'culvert-broker token "
       "--help'"},
      {{"help", "walk"}, "unknown command \"walk\"; see 'culvert-broker --help'"},
  }));
  CAPTURE(args);
  const auto parsed = ParseBrokerCommand(args, environment);
  REQUIRE_FALSE(parsed.ok());
  CHECK(MessageOf(parsed) == message);
}

TEST_CASE_METHOD(BrokerAdminFixture, "A group of commands has help of its own", "[broker_admin]") {
  for (const Args& args : {Args{"token", "--help"}, Args{"token", "-h"}, Args{"help", "token"}}) {
    const auto parsed = ParseBrokerCommand(args, environment);
    REQUIRE(parsed.ok());
    CHECK(parsed->text.find("usage: culvert-broker token COMMAND") == 0);
    CHECK(parsed->text.find("\n  token revoke  ") != std::string::npos);
    CHECK(parsed->text.find("policy") == std::string::npos);
  }
  const auto one = ParseBrokerCommand({"help", "token", "create"}, environment);
  REQUIRE(one.ok());
  CHECK(one->text.find("usage: culvert-broker token create --agent NAME") == 0);
  CHECK(ParseBrokerCommand({"token", "--version"}, environment)->text.find("culvert-broker 0.") ==
        0);
}

TEST_CASE_METHOD(BrokerAdminFixture, "Admin commands share the daemon's file and variables",
                 "[broker_admin]") {
  const std::string path = Write("b.toml",
                                 "listen = 'localhost:1'\nstate_dir = '/s'\n"
                                 "audit_log = '/a'\nmax_connections = 7\n");
  environment.variables["CULVERT_USER"] = "mallory";
  environment.variables["CULVERT_LISTEN"] = "nonsense";
  const auto parsed =
      ParseBrokerCommand({"token", "create", "--agent", "a", "--config", path}, environment);
  REQUIRE(parsed.ok());
  CHECK(parsed->config->common.state_dir == "/s");
  CHECK(parsed->config->audit_file() == "/a");
  CHECK(parsed->config->admin.subjects.size() == 1);
  CHECK(Parse({"policy", "list", "--state-dir", "/x"}).name == "policy list");
}

TEST_CASE_METHOD(BrokerAdminFixture, "The audit log is in the state directory unless it is named",
                 "[broker_admin]") {
  const auto file = [this](const Args& args) {
    return ParseBrokerCommand(args, environment)->config->audit_file();
  };
  CHECK(file({"serve", "--state-dir", "/s"}) == "/s/audit.log");
  CHECK(file({"serve", "--state-dir", "/s", "--audit-log", "/a"}) == "/a");
  CHECK(file({"audit", "--audit-log", "/a"}) == "/a");
}

}  // namespace
}  // namespace culvert::config
