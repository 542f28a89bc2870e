#include "config/forwarder_config.h"

#include <string>
#include <vector>

#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Args = std::vector<std::string>;

TEST_CASE_METHOD(ConfigFixture, "culvert forward takes many -L", "[forwarder_config]") {
  const Args args = {"forward",
                     "--broker",
                     "broker.example",
                     "-L",
                     "2222:edge-1:22",
                     "-L5432:edge-1:db:5432",
                     "--local-forward=[::1]:80:edge-2:80"};
  const ForwarderConfig config = *ParseForwarderCommand(args, environment)->config;
  CHECK(config.command == ForwarderConfig::Command::kForward);
  REQUIRE(config.brokers.size() == 1);
  CHECK(config.brokers[0].ToString() == "broker.example");
  REQUIRE(config.forwards.size() == 3);
  CHECK(config.forwards[0].ToString() == "127.0.0.1:2222:edge-1:127.0.0.1:22");
  CHECK(config.forwards[1].ToString() == "127.0.0.1:5432:edge-1:db:5432");
  CHECK(config.forwards[2].ToString() == "[::1]:80:edge-2:127.0.0.1:80");
}

TEST_CASE_METHOD(ConfigFixture, "culvert forward has defaults for the rest", "[forwarder_config]") {
  const ForwarderConfig config =
      *ParseForwarderCommand({"forward", "-L", "1:e:1"}, environment)->config;
  REQUIRE(config.brokers.size() == 1);
  CHECK(config.brokers[0].ToString() == "127.0.0.1:7400");
  CHECK(config.name.empty());     // the identity's
  CHECK(config.project.empty());  // the same
  CHECK(config.open_timeout == std::chrono::seconds(10));
  CHECK_FALSE(config.json);
  CHECK(config.common.log_level == LogLevel::kInfo);
  CHECK(config.common.state_dir == directory + "/home/.local/state/culvert");
}

TEST_CASE_METHOD(ConfigFixture, "culvert forward and connect are told what carries connections",
                 "[forwarder_config]") {
  const auto path_of = [this](const Args& args) {
    return ParseForwarderCommand(args, environment)->config->path;
  };
  CHECK(path_of({"forward", "-L", "1:e:1"}) == PathChoice::kAuto);
  CHECK(path_of({"forward", "-L", "1:e:1", "--path=stream"}) == PathChoice::kStream);
  CHECK(path_of({"connect", "--path", "stream", "e:1"}) == PathChoice::kStream);
  const std::string file = Write("forward.toml", "path = 'stream'");
  CHECK(path_of({"connect", "--config", file, "e:1"}) == PathChoice::kStream);
  CHECK(path_of({"connect", "--config", file, "--path", "auto", "e:1"}) == PathChoice::kAuto);
  CHECK(ParseForwarderCommand({"agents", "--config", file}, environment).ok());
  environment.variables["CULVERT_PATH"] = "stream";
  CHECK(path_of({"connect", "e:1"}) == PathChoice::kStream);
  environment.variables["CULVERT_PATH"] = "direct";
  CHECK(MessageOf(ParseForwarderCommand({"connect", "e:1"}, environment)) ==
        "CULVERT_PATH \"direct\": expected auto or stream");
}

TEST_CASE_METHOD(ConfigFixture, "culvert forward reads what ssh users type", "[forwarder_config]") {
  for (const Args& args : {Args{"forward", "-N", "-L", "1:e:1"}, Args{"forward", "-NL", "1:e:1"},
                           Args{"forward", "-NL1:e:1"}, Args{"forward", "-L", "1:e:1", "-N"}}) {
    CAPTURE(args);
    const auto parsed = ParseForwarderCommand(args, environment);
    REQUIRE(parsed.ok());
    CHECK(parsed->config->forwards.size() == 1);
  }
}

TEST_CASE_METHOD(ConfigFixture, "culvert forward reads [[forward]]", "[forwarder_config]") {
  const std::string path = Write("forward.toml",
                                 "broker = 'broker.example'\n"
                                 "[[forward]]\nlocal = '2222'\nagent = 'edge-1'\ntarget = '22'\n"
                                 "[[forward]]\nlocal = 5432\nagent = 'edge-1'\ntarget = 'db:5432'\n"
                                 "[[forward]]\nlocal = '[::1]:80'\nagent = 'e'\ntarget = 80\n");
  const Args args = {"forward", "--config", path};
  const ForwarderConfig config = *ParseForwarderCommand(args, environment)->config;
  REQUIRE(config.forwards.size() == 3);
  CHECK(config.forwards[0].ToString() == "127.0.0.1:2222:edge-1:127.0.0.1:22");
  CHECK(config.forwards[1].ToString() == "127.0.0.1:5432:edge-1:db:5432");
  CHECK(config.forwards[2].ToString() == "[::1]:80:e:127.0.0.1:80");

  Args overridden = args;
  overridden.insert(overridden.end(), {"-L", "1:e:1"});
  CHECK(ParseForwarderCommand(overridden, environment)->config->forwards.size() == 1);
}

TEST_CASE_METHOD(ConfigFixture, "culvert takes an empty list of brokers for none",
                 "[forwarder_config]") {
  const std::string path = Write("forward.toml", "broker = []");
  for (const Args& args : {Args{"forward", "--config", path, "-L", "1:e:1"},
                           Args{"connect", "--config", path, "e:1"}}) {
    const auto parsed = ParseForwarderCommand(args, environment);
    REQUIRE(parsed.ok());
    CHECK(parsed->config->brokers[0].ToString() == "127.0.0.1:7400");
  }
}

TEST_CASE_METHOD(ConfigFixture, "culvert forward tells which [[forward]] is wrong",
                 "[forwarder_config]") {
  auto [content, message] = GENERATE(table<std::string, std::string>({
      {"[[forward]]\nlocal = '1'\nagent = 'e'", ":1:1: [[forward]] has no target"},
      {"\n[[forward]]\nlocal = '1'\ntarget = '1'", ":2:1: [[forward]] has no agent"},
      {"[[forward]]", ":1:1: [[forward]] has no local"},
      {"[[forward]]\nlocl = '1'", ":2:8: unknown key \"locl\" in [[forward]]"},
      {"[[forward]]\nlocal = true",
       ":2:9: local: expected a string or an integer, found a boolean"},
      {"[[forward]]\nagent = 1", ":2:9: agent: expected a string, found an integer"},
      {"[[forward]]\nlocal = 'x:1'\nagent = 'e'\ntarget = '1'",
       ":1:1: [[forward]]: bind address \"x\": expected an IP address (IPv6 in brackets), "
       "localhost "
       "or *"},
      {"[[forward]]\nlocal = 70000\nagent = 'e'\ntarget = '1'",
       ":1:1: [[forward]]: port \"70000\": a port to listen on is a number from 0 to 65535"},
      {"[[forward]]\nlocal = -1\nagent = 'e'\ntarget = '1'",
       ":1:1: [[forward]]: port \"-1\": a port to listen on is a number from 0 to 65535"},
      {"[[forward]]\nlocal = '1'\nagent = 'e'\ntarget = 'db'",
       ":1:1: [[forward]]: target \"db\": expected host:port"},
      {"[forward]\nlocal = '1'",
       ":1:1: forward: expected tables, each headed [[forward]], found a table"},
      {"forward = ['1:e:1']",
       ":1:12: forward: expected tables, each headed [[forward]], found a string"},
      {"local_forward = ['1:e:1']", ":1:17: unknown key \"local_forward\""},
  }));
  CAPTURE(content);
  const std::string path = Write("forward.toml", content);
  CHECK(MessageOf(ParseForwarderCommand({"forward", "--config", path}, environment)) ==
        path + message);
}

TEST_CASE_METHOD(ConfigFixture, "culvert forward says what is wrong with -L",
                 "[forwarder_config]") {
  CHECK(MessageOf(ParseForwarderCommand({"forward", "-L", "foo"}, environment)) ==
        "-L \"foo\": expected [bind_address:]port:agent:[host:]hostport");
  CHECK(MessageOf(ParseForwarderCommand({"forward", "-L"}, environment)) ==
        "option -L needs a value; see 'culvert forward --help'");
  CHECK(MessageOf(ParseForwarderCommand({"forward"}, environment)) ==
        "nothing to forward: give -L [bind_address:]port:agent:[host:]hostport or [[forward]] in "
        "the config file");
  environment.variables["CULVERT_LOCAL_FORWARD"] = "1:e:1,foo";
  CHECK(MessageOf(ParseForwarderCommand({"forward"}, environment)) ==
        "CULVERT_LOCAL_FORWARD \"foo\": expected [bind_address:]port:agent:[host:]hostport");
}

TEST_CASE_METHOD(ConfigFixture,
                 "culvert forward takes each local port once, but 0 as often as asked",
                 "[forwarder_config]") {
  const auto forward = [&](const std::string& first, const std::string& second) {
    return ParseForwarderCommand({"forward", "-L", first, "-L", second}, environment);
  };
  CHECK(MessageOf(forward("1:e:1", "1:e:1")) == "127.0.0.1:1 is forwarded twice");
  CHECK(MessageOf(forward("*:1:e:1", ":1:f:2")) == "*:1 is forwarded twice");
  CHECK(forward("1:e:1", "[::1]:1:e:1").ok());
  CHECK(forward("0:e:1", "0:e:1")->config->forwards.size() == 2);
  const std::string table = "[[forward]]\nlocal = 1\nagent = 'e'\ntarget = 1\n";
  const std::string path = Write("forward.toml", table + table);
  CHECK(MessageOf(ParseForwarderCommand({"forward", "--config", path}, environment)) ==
        "127.0.0.1:1 is forwarded twice");
}

TEST_CASE_METHOD(ConfigFixture, "The switches -q and -v are log levels", "[forwarder_config]") {
  const auto config = [&](const Args& more) {
    Args args = {"forward", "-L", "1:e:1"};
    args.insert(args.end(), more.begin(), more.end());
    return *ParseForwarderCommand(args, environment)->config;
  };
  CHECK(config({"-q"}).common.log_level == LogLevel::kError);
  CHECK(config({"-v"}).common.log_level == LogLevel::kDebug);
  CHECK(config({"-v", "--log-level", "trace"}).common.log_level == LogLevel::kDebug);
  CHECK(config({"--json"}).json);
  environment.variables["CULVERT_QUIET"] = "1";
  CHECK(config({}).common.log_level == LogLevel::kError);
  CHECK(config({"--log-level", "info"}).common.log_level == LogLevel::kInfo);
  CHECK(config({"-v"}).common.log_level == LogLevel::kDebug);
  CHECK(config({"--quiet=false"}).common.log_level == LogLevel::kInfo);
}

TEST_CASE_METHOD(ConfigFixture, "culvert connect takes one target", "[forwarder_config]") {
  const Args args = {"connect", "--insecure", "edge-1:22"};
  const ForwarderConfig config = *ParseForwarderCommand(args, environment)->config;
  CHECK(config.command == ForwarderConfig::Command::kConnect);
  CHECK(config.connect.ToString() == "edge-1:127.0.0.1:22");
  CHECK(config.common.insecure);
  const Args after = {"connect", "edge-1:[::1]:22", "--broker", "b"};
  CHECK(ParseForwarderCommand(after, environment)->config->connect.ToString() == "edge-1:[::1]:22");
}

TEST_CASE_METHOD(ConfigFixture, "culvert connect says what it expected", "[forwarder_config]") {
  auto [args, message] = GENERATE(table<Args, std::string>({
      {{"connect"}, "expected one argument, agent:[host:]port; see 'culvert connect --help'"},
      {{"connect", "a:1", "b:1"},
       "expected one argument, agent:[host:]port; see 'culvert connect --help'"},
      {{"connect", "edge-1"},
       "\"edge-1\": expected agent:[host:]port; see 'culvert connect --help'"},
      {{"connect", "-L", "1:e:1", "edge-1:22"}, "unknown option -L; see 'culvert connect --help'"},
      {{"forward", "edge-1:22"}, "unexpected argument \"edge-1:22\"; see 'culvert forward --help'"},
  }));
  CAPTURE(args);
  CHECK(MessageOf(ParseForwarderCommand(args, environment)) == message);
}

TEST_CASE_METHOD(ConfigFixture, "culvert connect shares the config file of culvert forward",
                 "[forwarder_config]") {
  Write("home/.config/culvert/forward.toml",
        "broker = 'broker.example'\njson = true\n"
        "[[forward]]\nlocal = '*:1'\nagent = 'e'\ntarget = '1'\n");
  environment.variables["CULVERT_LOCAL_FORWARD"] = "not looked at";
  const auto parsed = ParseForwarderCommand({"connect", "edge-1:22"}, environment);
  REQUIRE(parsed.ok());
  CHECK(parsed->config->brokers[0].host == "broker.example");
  CHECK(parsed->config->forwards.empty());
}

TEST_CASE_METHOD(ConfigFixture, "culvert known-agents add takes a name that an agent can have",
                 "[forwarder_config]") {
  const std::string key(52, 'a');
  for (const char* name : {"a b", "a\nb", "a/b", "", "-a"}) {
    CAPTURE(name);
    const auto parsed =
        ParseForwarderCommand({"known-agents", "add", "--", name, key}, environment);
    REQUIRE_FALSE(parsed.ok());
    CHECK_THAT(MessageOf(parsed), Catch::Matchers::Contains("AGENT \""));
  }
  CHECK(ParseForwarderCommand({"known-agents", "add", "edge-1", key}, environment).ok());
}

TEST_CASE_METHOD(ConfigFixture, "culvert encrypts from end to end unless it is told not to",
                 "[forwarder_config]") {
  const Args args = {"connect", "--broker", "b", "e:1"};
  const auto parsed = ParseForwarderCommand(args, environment);
  REQUIRE(parsed.ok());
  CHECK(parsed->config->end_to_end == EndToEndChoice::kRequired);
  CHECK_FALSE(parsed->config->allow_clear_data);
  Write("home/.config/culvert/forward.toml", "e2e = 'off'\nallow_clear_data = true\n");
  const auto off = ParseForwarderCommand(args, environment);
  REQUIRE(off.ok());
  CHECK(off->config->end_to_end == EndToEndChoice::kOff);
  CHECK(off->config->allow_clear_data);
  CHECK(MessageOf(ParseForwarderCommand({"connect", "--e2e", "never", "e:1"}, environment)) ==
        "--e2e \"never\": expected required or off");
}

TEST_CASE_METHOD(ConfigFixture, "culvert takes no key of an agent that has not to show it",
                 "[forwarder_config]") {
  const std::string key = "e=" + std::string(52, 'a');
  for (const Args& command : {Args{"connect", "e:1"}, Args{"forward", "-L", "0:e:1"}}) {
    Args args = {command[0], "--broker", "b", "--e2e", "off", "--agent-key", key};
    args.insert(args.end(), command.begin() + 1, command.end());
    CHECK(MessageOf(ParseForwarderCommand(args, environment)) ==
          "--e2e off with --agent-key: without end-to-end encryption a key proves nothing; leave "
          "one of them out");
  }
}

TEST_CASE_METHOD(ConfigFixture, "culvert rendezvous takes the name of an agent, or none",
                 "[forwarder_config]") {
  const auto none = ParseForwarderCommand({"rendezvous"}, environment);
  REQUIRE(none.ok());
  CHECK(none->config->command == ForwarderConfig::Command::kRendezvous);
  CHECK(none->config->with_agent.empty());
  const auto with = ParseForwarderCommand({"rendezvous", "--with", "edge-1"}, environment);
  REQUIRE(with.ok());
  CHECK(with->config->with_agent == "edge-1");
  CHECK_FALSE(ParseForwarderCommand({"rendezvous", "--with", "a/b"}, environment).ok());
  CHECK_FALSE(ParseForwarderCommand({"rendezvous", "edge-1"}, environment).ok());
}

TEST_CASE_METHOD(ConfigFixture, "culvert runs for a user who has no name", "[forwarder_config]") {
  const Args args = {"connect", "--insecure", "e:1"};
  CHECK(ParseForwarderCommand(args, environment)->config->name == "ann-laptop");
  environment.user.clear();
  environment.host.clear();
  CHECK(ParseForwarderCommand(args, environment)->config->name == "culvert");
}

}  // namespace
}  // namespace culvert::config
