#include "config/broker_config.h"

#include <string>
#include <vector>

#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Args = std::vector<std::string>;

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve has safe defaults", "[broker_config]") {
  const BrokerConfig config = *ParseBrokerCommand({"serve"}, environment)->config;
  CHECK(config.listen == std::vector<Endpoint>{{"127.0.0.1", 7400}});
  CHECK(config.data_port.kind == DataPortChoice::Kind::kNext);
  CHECK(config.advertise_data == 0);
  CHECK(config.region.empty());
  CHECK(config.max_connections_per_address == 4096);
  CHECK(config.max_streams_per_address == 16384);
  CHECK(config.max_pending_per_address == 1024);
  CHECK(config.max_connections == 0);
  CHECK(config.common.state_dir == directory + "/home/.local/state/culvert-broker");
  CHECK(config.common.config_file.empty());
  CHECK(config.common.log_level == LogLevel::kInfo);
  CHECK_FALSE(config.common.insecure);
  CHECK_FALSE(config.json);
  CHECK(config.common.memory_limit == 1024U << 20);
  CHECK(config.common.grace == std::chrono::seconds(30));
}

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve takes its settings from flags",
                 "[broker_config]") {
  const Args args = {"serve",
                     "--listen=[::1]:0",
                     "--listen",
                     "127.0.0.1:7000",
                     "--json",
                     "--region",
                     "eu",
                     "--state-dir",
                     "/s",
                     "--max-connections-per-address",
                     "1",
                     "--max-streams-per-address",
                     "2",
                     "--max-pending-per-address",
                     "3",
                     "--max-connections",
                     "4",
                     "--insecure",
                     "--log-level",
                     "trace",
                     "--memory-limit",
                     "2GiB",
                     "--grace",
                     "500ms"};
  const BrokerConfig config = *ParseBrokerCommand(args, environment)->config;
  CHECK(config.listen == std::vector<Endpoint>{{"::1", 0}, {"127.0.0.1", 7000}});
  CHECK(config.json);
  CHECK(config.region == "eu");
  CHECK(config.max_connections_per_address == 1);
  CHECK(config.max_streams_per_address == 2);
  CHECK(config.max_pending_per_address == 3);
  CHECK(config.max_connections == 4);
  CHECK(config.common.state_dir == "/s");
  CHECK(config.common.insecure);
  CHECK(config.common.log_level == LogLevel::kTrace);
  CHECK(config.common.memory_limit == 2U << 30);
  CHECK(config.common.grace == std::chrono::milliseconds(500));
}

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve takes a data port in every form",
                 "[broker_config]") {
  using Kind = DataPortChoice::Kind;
  auto [text, choice] = GENERATE(table<std::string, DataPortChoice>({
      {"7402", {Kind::kPort, 7402}},
      {"0", {Kind::kPort, 0}},
      {"off", {Kind::kNone, 0}},
  }));
  CAPTURE(text);
  CHECK(ParseBrokerCommand({"serve", "--data-port", text}, environment)->config->data_port ==
        choice);
  const std::string quoted = Write("broker.toml", "data_port = '" + text + "'");
  CHECK(ParseBrokerCommand({"serve", "--config", quoted}, environment)->config->data_port ==
        choice);
  environment.variables["CULVERT_DATA_PORT"] = text;
  CHECK(ParseBrokerCommand({"serve"}, environment)->config->data_port == choice);
}

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve takes a web port in every form",
                 "[broker_config]") {
  using Kind = WebChoice::Kind;
  CHECK(ParseBrokerCommand({"serve"}, environment)->config->web.kind == Kind::kDefault);
  auto [text, choice] = GENERATE(table<std::string, WebChoice>({
      {"0.0.0.0:443", {Kind::kAddress, {"0.0.0.0", 443}}},
      {"[::1]:0", {Kind::kAddress, {"::1", 0}}},
      {"off", {Kind::kNone, {}}},
  }));
  CAPTURE(text);
  CHECK(ParseBrokerCommand({"serve", "--web", text}, environment)->config->web == choice);
  const std::string path = Write("broker.toml", "web = '" + text + "'");
  CHECK(ParseBrokerCommand({"serve", "--config", path}, environment)->config->web == choice);
}

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve reads the data port of a file as a number",
                 "[broker_config]") {
  const std::string path = Write("broker.toml", "data_port = 7402\nadvertise_data = 443\n");
  const BrokerConfig config = *ParseBrokerCommand({"serve", "--config", path}, environment)->config;
  CHECK(config.data_port == DataPortChoice{DataPortChoice::Kind::kPort, 7402});
  CHECK(config.advertise_data == 443);
  const std::string wrong = Write("broker.toml", "data_port = true");
  CHECK_FALSE(ParseBrokerCommand({"serve", "--config", wrong}, environment).ok());
}

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve names the flag that is wrong",
                 "[broker_config]") {
  auto [args, message] = GENERATE(table<Args, std::string>({
      {{"--listen", "7400"}, "--listen \"7400\": expected ADDR:PORT, an IPv6 address in brackets"},
      {{"--max-streams-per-address", "0"},
       "--max-streams-per-address \"0\": expected a number from 1 to 4294967295"},
      {{"--region", "a/b"},
       "--region \"a/b\": a region is up to 128 of A-Z, a-z, 0-9, '_', '.', '-' and does not start "
       "with '.' or '-'"},
      {{"--memory-limit", "64MB"},
       "--memory-limit \"64MB\": expected a size such as 256MiB, 64M, 1GiB or a number of bytes, "
       "from 1MiB to 1024GiB"},
      {{"--data-port", "on"},
       "--data-port \"on\": expected a port, 0 for one that is chosen, or off"},
      {{"--data-port", "65536"},
       "--data-port \"65536\": expected a port, 0 for one that is chosen, or off"},
      {{"--web", "7490"},
       "--web \"7490\": expected ADDR:PORT, an IPv6 address in brackets, or off"},
      {{"--insecure", "--web", "0.0.0.0:7490", "--check-config"},
       "--insecure is for loopback only, and 0.0.0.0:7490 is not loopback"},
      {{"--advertise-data", "0"}, "--advertise-data \"0\": expected a port, 1 to 65535"},
      {{"--advertise-data", "off"}, "--advertise-data \"off\": expected a port, 1 to 65535"},
      {{"--data-port", "off", "--advertise-data", "7401"},
       "--advertise-data without a data port: --data-port is off"},
      {{"--listen", "[::1]:7", "--listen", "127.0.0.1:8", "--data-port", "8"},
       "--data-port 8 is the port of --listen 127.0.0.1:8"},
      {{"--listen", "127.0.0.1:8", "--data-port", "8", "--check-config"},
       "--data-port 8 is the port of --listen 127.0.0.1:8"},
      {{"--grace", "soon"},
       "--grace \"soon\": expected a duration such as 30s, 500ms, 2m, 1h or a number of seconds, "
       "at "
       "most 8760h"},
      {{"--state-dir", ""}, "--state-dir \"\": expected a path"},
      {{"--insecure=maybe"}, "--insecure \"maybe\": expected true or false"},
  }));
  CAPTURE(args);
  Args all = {"serve"};
  all.insert(all.end(), args.begin(), args.end());
  CHECK(MessageOf(ParseBrokerCommand(all, environment)) == message);
}

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve needs an address to listen on",
                 "[broker_config]") {
  environment.root = true;
  Write("etc/culvert/broker.toml", "listen = []");
  for (const Args& args : {Args{"serve"}, Args{"serve", "--check-config"}}) {
    CHECK(MessageOf(ParseBrokerCommand(args, environment)) ==
          "listen: at least one address is needed");
  }
}

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve --insecure checks every address",
                 "[broker_config]") {
  const Args args = {"serve",    "--insecure", "--listen",      "127.0.0.1:0",
                     "--listen", "0.0.0.0:0",  "--check-config"};
  CHECK(MessageOf(ParseBrokerCommand(args, environment)).find("0.0.0.0:0 is not loopback") !=
        std::string::npos);
}

TEST_CASE_METHOD(ConfigFixture, "culvert-broker serve uses root's directories for root",
                 "[broker_config]") {
  environment.root = true;
  const std::string path = Write("etc/culvert/broker.toml", "region = 'eu'");
  const BrokerConfig config = *ParseBrokerCommand({"serve"}, environment)->config;
  CHECK(config.common.state_dir == "/var/lib/culvert-broker");
  CHECK(config.common.config_file == path);
}

}  // namespace
}  // namespace culvert::config
