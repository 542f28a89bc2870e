#include "config/login.h"

#include <string>
#include <vector>

#include "base/status.h"
#include "config/broker_config.h"
#include "config/forwarder_config.h"
#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Args = std::vector<std::string>;

TEST_CASE_METHOD(ConfigFixture, "Login takes a file, and one way to know the broker", "[login]") {
  const std::string fingerprint(52, 'a');
  const auto parsed = ParseForwarderCommand(
      {"login", "--broker", "b:1", "--jwt-file", "-", "--ca-fingerprint", fingerprint, "--force"},
      environment);
  REQUIRE(parsed.ok());
  const ForwarderConfig& config = *parsed->config;
  CHECK(config.command == ForwarderConfig::Command::kLogin);
  CHECK(config.login.jwt_file == "-");
  CHECK(config.login.ca_fingerprint == fingerprint);
  CHECK(config.login.force);
}

TEST_CASE_METHOD(ConfigFixture, "Login says in one line what is missing", "[login]") {
  const auto [args, message] = GENERATE(table<Args, std::string>({
      {{"login", "--broker", "b:1"}, "no token: give --jwt-file FILE"},
      {{"login", "--jwt-file", "f"}, "no broker: give --broker HOST:PORT or CULVERT_BROKER"},
      {{"login", "--broker", "b:1", "--jwt-file", "f", "--ca-cert", "c", "--ca-fingerprint",
        std::string(52, 'a')},
       "give one of --ca-cert and --ca-fingerprint"},
      {{"login", "--ca-fingerprint", "x"},
       "--ca-fingerprint \"x\": expected the 52 characters that culvert-broker serve prints"},
  }));
  const auto parsed = ParseForwarderCommand(args, environment);
  REQUIRE_FALSE(parsed.ok());
  CHECK(MessageOf(parsed) == message);
}

TEST_CASE_METHOD(ConfigFixture, "Login reads a JWT without what is around it", "[login]") {
  LoginConfig config;
  config.jwt_file = Write("jwt", " a.b.c\n");
  CHECK(*ReadJwt(config) == "a.b.c");
  config.jwt_file = Write("long", std::string(20'000, 'a'));
  CHECK(absl::IsInvalidArgument(ReadJwt(config).status()));
  config.jwt_file = directory + "/none";
  CHECK(absl::IsFailedPrecondition(ReadJwt(config).status()));
}

TEST_CASE_METHOD(ConfigFixture, "Issuers and service accounts need their files", "[broker_admin]") {
  const auto parse = [&](const Args& args) { return ParseBrokerCommand(args, environment); };
  const auto issuer = parse({"issuer", "add", "https://i", "--jwks", "https://i/k", "--audience",
                             "a", "--audience", "b", "--claim", "name", "--ca-file", "c"});
  REQUIRE(issuer.ok());
  const AdminCommand& command = issuer->config->admin;
  CHECK(command.name == "issuer add");
  CHECK(command.operand == "https://i");
  CHECK(command.audiences == std::vector<std::string>{"a", "b"});
  CHECK(command.claim == "name");
  CHECK(MessageOf(parse({"issuer", "add", "i"})) ==
        "issuer add needs --jwks FILE or --jwks https://...");
  CHECK(MessageOf(parse({"service-account", "add", "ci"})) ==
        "service-account add needs --public-key FILE");
  CHECK(parse({"service-account", "remove", "ci", "--key", "k"})->config->admin.kid == "k");
  CHECK(parse({"serve", "--jwt-audience", "x"})->config->jwt_audience == "x");
}

}  // namespace
}  // namespace culvert::config
