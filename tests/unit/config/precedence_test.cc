#include <string>
#include <vector>

#include "config/agent_config.h"
#include "config/broker_config.h"
#include "config/forwarder_config.h"
#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Args = std::vector<std::string>;

struct PrecedenceFixture : ConfigFixture {
  std::string Region(const Args& more = {}) const {
    Args args = {"serve"};
    args.insert(args.end(), more.begin(), more.end());
    return ParseBrokerCommand(args, environment)->config->region;
  }
};

TEST_CASE_METHOD(PrecedenceFixture, "Flags count more than variables, these more than the file",
                 "[precedence]") {
  CHECK(Region() == "");
  Write("home/.config/culvert/broker.toml", "region = 'file'");
  CHECK(Region() == "file");
  environment.variables["CULVERT_REGION"] = "variable";
  CHECK(Region() == "variable");
  CHECK(Region({"--region", "flag"}) == "flag");
  CHECK(Region({"--region=flag", "--region=last"}) == "last");
}

TEST_CASE_METHOD(PrecedenceFixture, "An empty variable counts as not set", "[precedence]") {
  Write("home/.config/culvert/broker.toml", "region = 'file'");
  environment.variables["CULVERT_REGION"] = "";
  CHECK(Region() == "file");
}

TEST_CASE_METHOD(PrecedenceFixture, "A mistake is told even where a flag overrides it",
                 "[precedence]") {
  environment.variables["CULVERT_LISTEN"] = "nowhere";
  CHECK(MessageOf(ParseBrokerCommand({"serve", "--listen", "127.0.0.1:1"}, environment)) ==
        "CULVERT_LISTEN \"nowhere\": expected ADDR:PORT, an IPv6 address in brackets");
}

TEST_CASE_METHOD(ConfigFixture, "A list of a higher source replaces that of a lower one",
                 "[precedence]") {
  const Args args = {"run", "--name", "edge-1"};
  const auto brokers = [&](Args more = {}) {
    more.insert(more.begin(), args.begin(), args.end());
    std::string text;
    const AgentConfig config = *ParseAgentCommand(more, environment)->config;
    for (const Endpoint& broker : config.brokers) text += broker.ToString() + " ";
    return text;
  };
  Write("home/.config/culvert/agent.toml", "broker = ['f1', 'f2:1']");
  CHECK(brokers() == "f1 f2:1 ");
  environment.variables["CULVERT_BROKER"] = "e1, e2:2 ,[::1]";
  CHECK(brokers() == "e1 e2:2 [::1]:7400 ");
  CHECK(brokers({"--broker", "a", "--broker=b"}) == "a b ");
}

TEST_CASE_METHOD(ConfigFixture, "Each variable is told by its name when it is wrong",
                 "[precedence]") {
  auto [name, value, message] = GENERATE(table<std::string, std::string, std::string>({
      {"CULVERT_BROKER", "a,,b", "CULVERT_BROKER \"\": host \"\": the host is empty"},
      {"CULVERT_INSECURE", "maybe", "CULVERT_INSECURE \"maybe\": expected true or false"},
      {"CULVERT_LOG_LEVEL", "loud",
       "CULVERT_LOG_LEVEL \"loud\": expected trace, debug, info, warning, error or off"},
      {"CULVERT_ALLOW", "localhost:22,x",
       "CULVERT_ALLOW \"x\": expected HOST:PORT, HOST:*, CIDR:PORT or CIDR:*, IPv6 in brackets "
       "such "
       "as [fd00::/8]:*"},
      {"CULVERT_DIAL_TIMEOUT", "0", "CULVERT_DIAL_TIMEOUT \"0\": expected more than 0"},
  }));
  environment.variables[name] = value;
  CHECK(MessageOf(ParseAgentCommand({"run", "--broker", "b", "--name", "edge-1"}, environment)) ==
        message);
}

TEST_CASE_METHOD(ConfigFixture, "Variables switch on and off", "[precedence]") {
  const auto insecure = [&](const Args& args) {
    return ParseBrokerCommand(args, environment)->config->common.insecure;
  };
  CHECK_FALSE(insecure({"serve"}));
  CHECK(insecure({"serve", "--insecure"}));
  CHECK(insecure({"serve", "--insecure=true"}));
  environment.variables["CULVERT_INSECURE"] = "1";
  CHECK(insecure({"serve"}));
  CHECK_FALSE(insecure({"serve", "--insecure=false"}));
  environment.variables["CULVERT_INSECURE"] = "0";
  CHECK_FALSE(insecure({"serve"}));
}

TEST_CASE_METHOD(ConfigFixture, "Parsing again gives the same, and what the file holds by then",
                 "[precedence]") {
  const std::string path = Write("a.toml", "allow = ['localhost:22']");
  const Args args = {"run", "--broker", "b", "--name", "edge-1", "--config", path};
  const AgentConfig first = *ParseAgentCommand(args, environment)->config;
  CHECK(ParseAgentCommand(args, environment)->config->allow == first.allow);
  Write("a.toml", "allow = ['localhost:23', '10.0.0.0/8:*']");
  const AgentConfig second = *ParseAgentCommand(args, environment)->config;
  REQUIRE(second.allow.rules().size() == 2);
  CHECK(second.allow.rules()[0].ToString() == "localhost:23");
}

}  // namespace
}  // namespace culvert::config
