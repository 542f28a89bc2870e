#include "config/credentials_policy.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

TEST_CASE("CheckCredentials asks agents and users to enrol", "[credentials]") {
  BrokerConfig broker;
  broker.common.state_dir = "/state";
  AgentConfig agent;
  agent.common.state_dir = "/state";
  ForwarderConfig forwarder;
  forwarder.common.state_dir = "/state";
  CHECK(CheckCredentials(broker).ok());
  CHECK(CheckCredentials(agent) ==
        absl::FailedPreconditionError("no identity in /state: run 'culvert-agent enroll --broker "
                                      "HOST:PORT --token-file FILE' first"));
  CHECK(CheckCredentials(forwarder) ==
        absl::FailedPreconditionError("no identity in /state: run 'culvert enroll --broker "
                                      "HOST:PORT --token-file FILE' first"));
}

TEST_CASE("CheckCredentials lets an insecure broker listen on loopback only", "[credentials]") {
  BrokerConfig config;
  config.common.insecure = true;
  for (const char* host : {"127.0.0.1", "127.1.1.1", "::1"}) {
    config.listen = {{host, 7400}};
    CHECK(CheckCredentials(config).ok());
  }
  for (const char* host : {"0.0.0.0", "::", "192.168.1.1", "*"}) {
    CAPTURE(host);
    config.listen = {{host, 7400}};
    CHECK(CheckCredentials(config).code() == absl::StatusCode::kInvalidArgument);
  }
  config.listen = {{"0.0.0.0", 7400}};
  CHECK(CheckCredentials(config).message() ==
        "--insecure is for loopback only, and 0.0.0.0:7400 is not loopback");
}

TEST_CASE("CheckCredentials lets an insecure forwarder bind loopback only", "[credentials]") {
  ForwarderConfig config;
  config.common.insecure = true;
  config.forwards = {*ParseForwardSpec("1:edge:1"), *ParseForwardSpec("[::1]:1:edge:1")};
  CHECK(CheckCredentials(config).ok());
  config.brokers = {{"broker.example", 7400}};
  CHECK(CheckCredentials(config).code() == absl::StatusCode::kInvalidArgument);
  config.brokers = {{"::1", 7400}};
  config.forwards.push_back(*ParseForwardSpec("*:2222:edge:1"));
  CHECK(CheckCredentials(config) ==
        absl::InvalidArgumentError("--insecure is for loopback only, and *:2222 is not loopback"));
}

TEST_CASE("CheckCredentials lets an insecure agent dial a broker on loopback only",
          "[credentials]") {
  AgentConfig config;
  config.common.insecure = true;
  config.brokers = {{"127.0.0.1", 1}, {"::1", 1}, {"localhost", 1}};
  CHECK(CheckCredentials(config).ok());
  config.brokers.push_back({"192.0.2.1", 1});
  CHECK(CheckCredentials(config) ==
        absl::InvalidArgumentError(
            "--insecure is for loopback only, and 192.0.2.1:1 is not loopback"));
}

TEST_CASE("CheckInsecurePeer refuses a peer beyond loopback", "[credentials]") {
  CHECK(CheckInsecurePeer(*net::Address::FromLiteral("127.0.0.1", 7400)).ok());
  CHECK(CheckInsecurePeer(*net::Address::FromLiteral("::1", 7400)).ok());
  CHECK(CheckInsecurePeer(*net::Address::FromLiteral("::ffff:127.0.0.1", 7400)).ok());
  CHECK(CheckInsecurePeer(*net::Address::FromLiteral("10.0.0.1", 7400)) ==
        absl::PermissionDeniedError(
            "--insecure is for loopback only, and 10.0.0.1:7400 is not loopback"));
}

}  // namespace
}  // namespace culvert::config
