#include "config/help.h"

#include <sstream>
#include <string>
#include <vector>

#include "config/agent_config.h"
#include "config/broker_config.h"
#include "config/forwarder_config.h"
#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

struct HelpFixture : ConfigFixture {
  std::vector<std::string> All() const {
    return {ParseBrokerCommand({"help"}, environment)->text,
            ParseBrokerCommand({"serve", "--help"}, environment)->text,
            ParseBrokerCommand({"token", "--help"}, environment)->text,
            ParseBrokerCommand({"token", "create", "--help"}, environment)->text,
            ParseBrokerCommand({"policy", "allow", "--help"}, environment)->text,
            ParseBrokerCommand({"group", "add", "--help"}, environment)->text,
            ParseBrokerCommand({"role", "add", "--help"}, environment)->text,
            ParseBrokerCommand({"revoke", "--help"}, environment)->text,
            ParseBrokerCommand({"audit", "--help"}, environment)->text,
            ParseAgentCommand({"help"}, environment)->text,
            ParseAgentCommand({"run", "--help"}, environment)->text,
            ParseForwarderCommand({"help"}, environment)->text,
            ParseForwarderCommand({"forward", "--help"}, environment)->text,
            ParseForwarderCommand({"connect", "--help"}, environment)->text,
            ParseForwarderCommand({"projects", "--help"}, environment)->text,
            ParseForwarderCommand({"projects", "list", "--help"}, environment)->text,
            ParseForwarderCommand({"projects", "watch", "--help"}, environment)->text,
            ParseForwarderCommand({"projects", "create", "--help"}, environment)->text,
            ParseForwarderCommand({"projects", "update", "--help"}, environment)->text,
            ParseForwarderCommand({"projects", "delete", "--help"}, environment)->text};
  }
};

TEST_CASE_METHOD(HelpFixture, "Help fits a terminal and is plain ASCII", "[help]") {
  for (const std::string& text : All()) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      // The line of sources is one, so that a test can compare it with a manual page.
      if (line.find("environment: ") == std::string::npos) CHECK(line.size() <= 80);
      for (char c : line) CHECK((c >= 0x20 && c < 0x7f));
    }
  }
}

TEST_CASE_METHOD(HelpFixture, "Help tells each flag's default, variable and key", "[help]") {
  const std::string text = ParseAgentCommand({"run", "--help"}, environment)->text;
  for (const char* expected :
       {"  --broker HOST:PORT ...\n",
        "(default: the one of the enrolment; environment: CULVERT_BROKER; file: broker)\n",
        "  --dial-timeout DURATION\n",
        "(default: 10s; environment: CULVERT_DIAL_TIMEOUT; file: dial_timeout)\n",
        "(default: 5m; environment: CULVERT_RESUME_TIMEOUT; file: resume_timeout)\n",
        "(default: nothing; environment: CULVERT_ALLOW; file: allow)\n",
        "(default: 256MiB; environment: CULVERT_MEMORY_LIMIT; file: memory_limit)\n",
        "(default: the identity's; environment: CULVERT_PROJECT; file: project)\n",
        "(default: off; environment: CULVERT_INSECURE; file: insecure)\n", "  -h, --help\n",
        "  --check-config\n", "  --version\n"}) {
    CAPTURE(text, expected);
    CHECK(text.find(expected) != std::string::npos);
  }
}

TEST_CASE_METHOD(HelpFixture, "Help of a command has its own flags only", "[help]") {
  const std::string forward = ParseForwarderCommand({"forward", "--help"}, environment)->text;
  const std::string connect = ParseForwarderCommand({"connect", "--help"}, environment)->text;
  CHECK(forward.find("  -L, --local-forward SPEC ...\n") != std::string::npos);
  CHECK(forward.find("(environment: CULVERT_LOCAL_FORWARD; file: [[forward]])") !=
        std::string::npos);
  CHECK(forward.find("  -N, --no-command\n") != std::string::npos);
  CHECK(connect.find("-L") == std::string::npos);
  CHECK(connect.find("--json") == std::string::npos);
  CHECK(connect.find("usage: culvert connect [options] agent:[host:]port\n") == 0);
}

TEST_CASE_METHOD(HelpFixture, "Help is the same for everybody", "[help]") {
  const std::vector<std::string> before = All();
  environment = Environment();
  environment.root = true;
  environment.variables["CULVERT_PROJECT"] = "other";
  CHECK(All() == before);
}

}  // namespace
}  // namespace culvert::config
