// Channels that are encrypted from end to end, between a Consumer and a Provider with identities.
#include <filesystem>

#include "base/status.h"
#include "sdk/client_core.h"
#include "sdk/known_agents.h"
#include "tests/integration/sdk_secure_fixture.h"
#include "tests/support/loopback.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("SDK carries sealed bytes both ways and ends cleanly at both ends", "[sdk]") {
  SecureFixture sdk;
  auto outlet = sdk.consumer.Connect("echo");
  const std::string bytes = Pattern(3'000'000);
  outlet->Say(bytes);
  outlet->SayEnd();
  REQUIRE(outlet->WaitForEnd());
  CHECK(outlet->received == bytes);
  CHECK(outlet->WaitForClose().ok());
  CHECK(sdk.provider.Service(0)->WaitForClose().ok());
  REQUIRE(sdk.consumer.WaitForReports(1));
  CHECK(sdk.consumer.reports[0].bytes_sent == bytes.size());
  CHECK(sdk.consumer.reports[0].bytes_received == bytes.size());
}

TEST_CASE("Provider's factory hears who asks, as TLS has shown it", "[sdk]") {
  SecureFixture sdk;
  auto outlet = sdk.consumer.Connect("echo");
  sdk.provider.Service(0);
  const std::lock_guard lock(sdk.provider.mutex);
  CHECK(sdk.provider.requests[0].user == "spiffe://culvert.internal/project/default/user/alice");
  CHECK(sdk.provider.requests[0].user_key ==
        crypto::LoadIdentity(sdk.alice)->key.public_key().id());
}

TEST_CASE("SDK lets one sealed direction go on when the other has ended", "[sdk]") {
  SecureFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  outlet->Say("question");
  outlet->SayEnd();
  REQUIRE(service->WaitForEnd());
  CHECK(service->received == "question");
  service->Say("answer");
  REQUIRE(outlet->WaitForBytes("answer"));
  CHECK(!outlet->ended);
  service->SayEnd();
  CHECK(outlet->WaitForClose().ok());
  CHECK(service->WaitForClose().ok());
}

TEST_CASE("SDK tells the other end of a sealed channel when one end fails", "[sdk]") {
  SecureFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  outlet->Say("hello");
  REQUIRE(service->WaitForBytes("hello"));
  service->FailRecv(ErrorStatus(ErrorCode::kReset, "local socket was reset"));
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kReset);
}

TEST_CASE("Consumer hears why the agent refused, and the service is not asked", "[sdk]") {
  TestRealm realm;
  TestBroker broker(realm);
  std::map<std::string, ServiceFactory> services;
  services["strict"] = [](const ServiceRequest&) -> absl::StatusOr<std::unique_ptr<Service>> {
    return ErrorStatus(ErrorCode::kDenied, "not on the list");
  };
  TestProvider provider(SecureOptions(broker.address(), realm.Agent("edge-1")),
                        std::move(services));
  REQUIRE(provider.WaitForRegistrations(1));
  TestConsumer consumer(SecureOptions(broker.address(), realm.User("alice")));
  auto outlet = consumer.Connect("strict");
  const absl::Status why = outlet->WaitForClose();
  CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
  CHECK_THAT(std::string(MessageOf(why)), Contains("not on the list"));
  CHECK(!outlet->opened);
}

TEST_CASE("Many sealed channels at once all carry their bytes", "[sdk][slow]") {
  SecureFixture sdk;
  std::vector<std::shared_ptr<Probe>> outlets;
  for (int i = 0; i < 200; ++i) outlets.push_back(sdk.consumer.Connect("echo"));
  for (const auto& outlet : outlets) {
    outlet->Say("hello");
    outlet->SayEnd();
  }
  for (const auto& outlet : outlets) {
    REQUIRE(outlet->WaitForEnd());
    CHECK(outlet->received == "hello");
    CHECK(outlet->WaitForClose().ok());
  }
}

TEST_CASE("Consumer records an agent's key and refuses another one", "[sdk]") {
  SecureFixture sdk;
  REQUIRE(sdk.consumer.Connect("echo")->Wait([](const Probe& probe) { return probe.opened; }));
  const auto known = KnownAgents(sdk.alice).List();
  REQUIRE(known.ok());
  REQUIRE(known->size() == 1);
  CHECK((*known)[0].agent == "default/edge-1");

  // The agent enrols anew: another key under the same name.
  sdk.provider.provider.reset();
  TestProvider again(SecureOptions(sdk.broker.address(), sdk.realm.Agent("edge-1")));
  REQUIRE(again.WaitForRegistrations(1));
  auto outlet = sdk.consumer.Connect("echo");
  const absl::Status why = outlet->WaitForClose();
  CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
  CHECK_THAT(std::string(MessageOf(why)), Contains("KEY OF AGENT edge-1 HAS CHANGED"));
  CHECK_THAT(std::string(MessageOf(why)), Contains("culvert known-agents remove edge-1"));
  CHECK(!outlet->opened);

  REQUIRE(KnownAgents(sdk.alice).Remove("default/edge-1").ok());
  CHECK(sdk.consumer.Connect("echo")->Wait([](const Probe& probe) { return probe.opened; }));
}

TEST_CASE("Consumer whose known agents cannot be read says so, and blames nobody", "[sdk]") {
  SecureFixture sdk;
  REQUIRE(sdk.consumer.Connect("echo")->Wait([](const Probe& probe) { return probe.opened; }));
  std::filesystem::permissions(sdk.alice + "/known_agents", std::filesystem::perms(0644));
  auto outlet = sdk.consumer.Connect("echo");
  const absl::Status why = outlet->WaitForClose();
  CHECK(ErrorCodeOf(why) == ErrorCode::kInternal);
  CHECK_THAT(std::string(MessageOf(why)),
             Catch::Matchers::Contains("known_agents is open to others"));
  CHECK_FALSE(outlet->opened);
}

TEST_CASE("Agent and broker do not hear which key a consumer knows", "[sdk]") {
  SecureFixture sdk;
  const std::string known(52, 'a');
  REQUIRE(KnownAgents(sdk.alice).Add({"default/edge-1", known}).ok());
  const absl::Status why = sdk.consumer.Connect("echo")->WaitForClose();
  CHECK_THAT(std::string(MessageOf(why)), Contains(known));
  REQUIRE(sdk.provider.WaitForReports(1));
  const std::lock_guard lock(sdk.provider.mutex);
  CHECK(ErrorCodeOf(sdk.provider.reports[0].status) == ErrorCode::kDenied);
  CHECK_THAT(sdk.provider.reports[0].reason, !Contains(known));
  CHECK_THAT(sdk.provider.reports[0].reason, Contains("does not accept the agent's key"));
}

TEST_CASE("Agent lets a consumer wait that costs it too many full handshakes", "[sdk]") {
  SecureFixture sdk;
  const std::string key = crypto::LoadIdentity(sdk.alice)->key.public_key().id();
  EndToEnd& agent = *sdk.provider.client->core().end_to_end();
  sdk.provider.client->Run([&] {
    for (int i = 0; i < static_cast<int>(EndToEnd::kHandshakes.burst); ++i) {
      CHECK(agent.TakeHandshake(key) == Duration::zero());
    }
    CHECK(agent.TakeHandshake(key) > Duration::zero());
    CHECK(agent.TakeHandshake("another's") == Duration::zero());
  });
  const MonotonicTime began = MonotonicNow();
  auto outlet = sdk.consumer.Connect("echo");
  REQUIRE(outlet->Wait([](const Probe& probe) { return probe.opened; }));
  CHECK(MonotonicNow() - began >= 50ms);
  // One that resumes is given back.
  sdk.consumer.Connect("echo")->Wait([](const Probe& probe) { return probe.opened; });
  sdk.provider.client->Run([&] {
    agent.ReturnHandshake(key);
    CHECK(agent.TakeHandshake(key) == Duration::zero());
  });
}

TEST_CASE("Consumer takes only the key that agent_keys names", "[sdk]") {
  SecureFixture sdk;
  ClientOptions options = SecureOptions(sdk.broker.address(), sdk.alice);
  options.agent_keys["edge-1"] = std::string(52, 'a');
  TestConsumer consumer(options);
  const absl::Status why = consumer.Connect("echo")->WaitForClose();
  CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
  CHECK_THAT(std::string(MessageOf(why)), Contains("--agent-key"));
}

TEST_CASE("Broker ends live channels when the policy changes, and both ends hear why", "[sdk]") {
  SecureFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  outlet->Say("hello");
  REQUIRE(service->WaitForBytes("hello"));
  sdk.broker.Run([&](broker::Broker& broker) {
    sdk.realm.records.denied = true;
    broker.CheckPermissions();
  });
  for (const auto& end : {outlet, service}) {
    const absl::Status why = end->WaitForClose();
    CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
    CHECK_THAT(std::string(MessageOf(why)), Contains("no rule allows it to user alice"));
  }
  const absl::Status again = sdk.consumer.Connect("probe")->WaitForClose();
  CHECK(absl::IsPermissionDenied(again));
}

TEST_CASE("Broker ends the registration and the channels of a revoked agent", "[sdk]") {
  SecureFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  outlet->Say("hello");
  REQUIRE(service->WaitForBytes("hello"));
  std::string key;
  sdk.provider.client->Run(
      [&] { key = sdk.provider.client->core().identity()->identity().key.public_key().id(); });
  sdk.broker.Run([&](broker::Broker& broker) {
    sdk.realm.records.revoked.insert(key);
    broker.CheckPermissions();
  });
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kDenied);
  CHECK(sdk.broker.WaitForSessions(0));
}

TEST_CASE("Identity is renewed after two thirds of its life without ending a channel", "[sdk]") {
  TestRealm realm;
  TestBroker broker(realm);
  TestProvider provider(SecureOptions(broker.address(), realm.Agent("edge-1")));
  REQUIRE(provider.WaitForRegistrations(1));
  const std::string alice =
      realm.Keep(realm.Issue(crypto::SpiffeId::Role::kUser, "alice", "default",
                             std::chrono::seconds(-20), std::chrono::seconds(10)));
  const std::string before = crypto::LoadIdentity(alice)->certificate.serial();
  TestConsumer consumer(SecureOptions(broker.address(), alice));
  auto outlet = consumer.Connect("probe");
  outlet->Say("before");
  auto service = provider.Service(0);
  REQUIRE(service->WaitForBytes("before"));
  REQUIRE(Eventually([&] { return crypto::LoadIdentity(alice)->certificate.serial() != before; }));
  outlet->Say(" after");
  CHECK(service->WaitForBytes("before after"));
  CHECK(consumer.Connect("echo")->Wait([](const Probe& probe) { return probe.opened; }));
}

}  // namespace
}  // namespace culvert::test
