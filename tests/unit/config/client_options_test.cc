#include "config/client_options.h"

#include "config/agent_config.h"
#include "config/forwarder_config.h"
#include "tests/support/catch.h"

namespace culvert::config {
namespace {

TEST_CASE("ClientOptionsOf takes over every setting of the client", "[client_options]") {
  AgentConfig config;
  config.brokers = {{"127.0.0.1", 1}, {"::1", 2}};
  config.name = "edge-1";
  config.project = "projects/p";
  config.region = "eu";
  config.service_domain = "d";
  config.common.memory_limit = 3;
  config.resume_timeout = std::chrono::seconds(7);
  config.path = PathChoice::kStream;
  config.common.insecure = true;
  const ClientOptions options = ClientOptionsOf(config);
  CHECK(options.brokers == std::vector<std::string>{"127.0.0.1:1", "[::1]:2"});
  CHECK(options.name == "edge-1");
  CHECK(options.project == "projects/p");
  CHECK(options.region == "eu");
  CHECK(options.service_domain == "d");
  CHECK(options.memory_limit == 3);
  CHECK(options.resume_timeout == std::chrono::seconds(7));
  CHECK(options.path == PathChoice::kStream);
  CHECK(options.insecure);
}

TEST_CASE("ChangedForNextStart names what a reload does not take over", "[client_options]") {
  const ForwarderConfig now;
  ForwarderConfig next = now;
  next.open_timeout *= 2;
  CHECK(ChangedForNextStart(now, next).text().empty());
  next.name = "other";
  CHECK(ChangedForNextStart(now, next).text() == "name");
  next.brokers.push_back({"::1", 1});
  next.project += "x";
  next.region = "eu";
  next.service_domain = "d";
  next.common.memory_limit = 1;
  next.resume_timeout = Duration::zero();
  next.path = PathChoice::kStream;
  CHECK(ChangedForNextStart(now, next).text() ==
        "broker, name, project, region, service_domain, memory_limit, resume_timeout, path");
}

}  // namespace
}  // namespace culvert::config
