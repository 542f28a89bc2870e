// Channels on stitched paths, between a Consumer and a Provider.
#include <atomic>

#include "tests/integration/sdk_stitched_fixture.h"
#include "tests/support/loopback.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;

bool Opens(const std::shared_ptr<Probe>& outlet, std::chrono::nanoseconds limit) {
  const auto start = std::chrono::steady_clock::now();
  const bool opened = outlet->Wait([](const Probe& probe) { return probe.opened; });
  return opened && std::chrono::steady_clock::now() - start < limit;
}

TEMPLATE_TEST_CASE("A channel opens on a stitched path where both ends have connections parked",
                   "[stitched]", PlainStitched, EncryptedStitched) {
  TestType at;
  at.Prime();
  REQUIRE(at.broker->WaitForChannels(0));
  at.broker->TakeAudit();
  auto outlet = at.Open("echo");
  REQUIRE(at.IsStitched());
  CHECK(at.broker->pairs() == 1);
  CHECK(Eventually([&at] {
    const std::vector<ChannelStatus> channels = at.provider.provider->Channels();
    return channels.size() == 1 && channels[0].stitched;
  }));

  const std::string bytes = Pattern(3'000'000);
  outlet->Say(bytes);
  outlet->SayEnd();
  REQUIRE(outlet->WaitForEnd());
  CHECK(outlet->received == bytes);
  CHECK(outlet->WaitForClose().ok());
  CHECK(at.NewestService()->WaitForClose().ok());
  REQUIRE(at.WaitForNone());
  const ChannelReport report = at.LastReport();
  CHECK(report.resumes == 0);
  CHECK(report.bytes_sent == bytes.size());
  CHECK(at.broker->WaitForPairs(0));
  REQUIRE(at.broker->WaitForChannels(0));
  const auto closed = at.broker->TakeAudit(broker::AuditKind::kClose);
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].bytes_sent.value_or(0) >= bytes.size());
}

TEMPLATE_TEST_CASE("One direction of a stitched channel goes on when the other has ended",
                   "[stitched]", PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.OpenStitched("probe");
  auto service = at.NewestService();
  SECTION("the user's ends first") {
    outlet->Say("question");
    outlet->SayEnd();
    REQUIRE(service->WaitForEnd());
    CHECK(service->received == "question");
    service->Say("answer");
    REQUIRE(outlet->WaitForBytes("answer"));
    CHECK(!outlet->ended);
    service->SayEnd();
  }
  SECTION("the agent's ends first, before anything") {
    service->SayEnd();
    REQUIRE(outlet->WaitForEnd());
    outlet->Say("late");
    REQUIRE(service->WaitForBytes("late"));
    outlet->SayEnd();
  }
  SECTION("both end with nothing") {
    outlet->SayEnd();
    service->SayEnd();
  }
  CHECK(outlet->WaitForClose().ok());
  CHECK(service->WaitForClose().ok());
  CHECK(at.broker->WaitForPairs(0));
}

TEMPLATE_TEST_CASE("A reset at one end of a stitched channel reaches the other", "[stitched]",
                   PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.OpenStitched("probe");
  auto service = at.NewestService();
  outlet->Say("hello");
  REQUIRE(service->WaitForBytes("hello"));
  const absl::Status reset = ErrorStatus(ErrorCode::kReset, "local socket was reset");
  SECTION("from the user") {
    outlet->FailRecv(reset);
    CHECK(ErrorCodeOf(service->WaitForClose()) == ErrorCode::kReset);
  }
  SECTION("from the agent") {
    service->FailRecv(reset);
    CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kReset);
  }
  SECTION("from the agent, with bytes under way") {
    outlet->Say(Pattern(5'000'000));
    service->Break(reset);
    CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kReset);
  }
  CHECK(at.WaitForNone());
  CHECK(at.broker->WaitForPairs(0));
}

TEMPLATE_TEST_CASE("A stitched channel whose other end does not read waits, and loses nothing",
                   "[stitched]", PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.OpenStitched("probe");
  auto service = at.NewestService();
  service->take = false;
  const std::string bytes = Pattern(8'000'000);
  for (size_t i = 0; i < bytes.size(); i += 100'000) outlet->Say(bytes.substr(i, 100'000));
  outlet->SayEnd();
  REQUIRE(service->Wait([](const Probe& probe) { return !probe.received.empty(); }));
  // The other direction is none of its business.
  service->Say("still here");
  REQUIRE(outlet->WaitForBytes("still here"));
  CHECK(service->received.size() < bytes.size());
  at.provider.client->Post([service] { service->take = true; });
  service->TakeLate();
  REQUIRE(service->WaitForEnd());
  CHECK(service->received == bytes);
}

std::map<std::string, ServiceFactory> Refusing() {
  std::map<std::string, ServiceFactory> services;
  services["strict"] = [](const ServiceRequest&) -> absl::StatusOr<std::unique_ptr<Service>> {
    return ErrorStatus(ErrorCode::kDenied, "not on the list");
  };
  return services;
}

TEMPLATE_TEST_CASE("Consumer hears why an agent refuses what came on a stitched path", "[stitched]",
                   PlainStitched, EncryptedStitched) {
  TestType at{Refusing()};
  at.Prime();
  const auto [service, code] = GENERATE(table<std::string, ErrorCode>(
      {{"strict", ErrorCode::kDenied}, {"no-such", ErrorCode::kUnknownService}}));
  CAPTURE(service);
  auto outlet = at.consumer.Connect(service);
  const absl::Status why = outlet->WaitForClose();
  CHECK(ErrorCodeOf(why) == code);
  CHECK(!outlet->opened);
  CHECK(at.WaitForNone());
  CHECK(at.broker->WaitForPairs(0));
  // Others are as good as before.
  CHECK(Opens(at.consumer.Connect("echo"), 2s));
}

TEST_CASE("An agent is asked once for what it refuses on a stitched path", "[stitched]") {
  std::atomic<int> asked = 0;
  std::map<std::string, ServiceFactory> services;
  services["no"] = [&asked](const ServiceRequest&) -> absl::StatusOr<std::unique_ptr<Service>> {
    ++asked;
    return ErrorStatus(ErrorCode::kDenied, "no");
  };
  PlainStitched at{services};
  at.Prime();
  constexpr int kTimes = 20;
  for (int i = 0; i < kTimes; ++i) {
    CHECK(ErrorCodeOf(at.consumer.Connect("no")->WaitForClose()) == ErrorCode::kDenied);
  }
  CHECK(asked == kTimes);
}

TEMPLATE_TEST_CASE("A killed stitched channel ends at both ends at once, with the reason",
                   "[stitched]", PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.OpenStitched("probe");
  auto service = at.NewestService();
  const uint64_t id = at.consumer.consumer->Channels()[0].channel_id;
  const auto start = std::chrono::steady_clock::now();
  at.broker->Run([id](broker::Broker& broker) { CHECK(broker.KillChannel(id)); });
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kKilled);
  CHECK(ErrorCodeOf(service->WaitForClose()) == ErrorCode::kKilled);
  CHECK(std::chrono::steady_clock::now() - start < 2s);
  CHECK(at.broker->WaitForPairs(0));
}

TEST_CASE("A stitched channel that the policy does not allow any more ends at both ends",
          "[stitched]") {
  EncryptedStitched at;
  auto outlet = at.OpenStitched("probe");
  auto service = at.NewestService();
  const auto start = std::chrono::steady_clock::now();
  SECTION("by a rule") {
    at.broker->Run([&](broker::Broker& broker) {
      at.realm.records.denied = true;
      broker.CheckPermissions();
    });
  }
  SECTION("by a revoked key") {
    const std::string key = crypto::LoadIdentity(at.user)->key.public_key().id();
    at.broker->Run([&](broker::Broker& broker) {
      at.realm.records.revoked.insert(key);
      broker.CheckPermissions();
    });
  }
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kDenied);
  CHECK(ErrorCodeOf(service->WaitForClose()) == ErrorCode::kDenied);
  CHECK(std::chrono::steady_clock::now() - start < 2s);
  CHECK(at.broker->WaitForPairs(0));
}

// --- no stitched path ---

TEST_CASE("A channel goes over streams, at once, where one end wants it so", "[stitched]") {
  PlainStitchWorld world(0);
  ClientOptions agent = world.Agent();
  ClientOptions user = world.User();
  SECTION("the user") { user.path = PathChoice::kStream; }
  SECTION("the agent") { agent.path = PathChoice::kStream; }
  TestProvider provider(agent);
  REQUIRE(provider.WaitForRegistrations(1));
  TestConsumer consumer(user);
  for (int i = 0; i < 5; ++i) {
    auto outlet = consumer.Connect("echo");
    CHECK(Opens(outlet, 1s));
    outlet->Say("hello");
    CHECK(outlet->WaitForBytes("hello"));
    CHECK(world.broker->pairs() == 0);
  }
}

TEMPLATE_TEST_CASE("Nobody waits for a data port that is filtered", "[stitched]", PlainRelayed,
                   EncryptedRelayed) {
  TestType at;
  SECTION("by taking connections that lead nowhere") { at.relay.SetMode(TcpRelay::Mode::kFrozen); }
  SECTION("by dropping what comes") { at.relay.SetMode(TcpRelay::Mode::kBlackhole); }
  SECTION("by refusing connections") { at.relay.LeadTo(1); }
  for (int i = 0; i < 10; ++i) {
    auto outlet = at.consumer.Connect("echo");
    CHECK(Opens(outlet, 1s));
    outlet->Say("hello");
    CHECK(outlet->WaitForBytes("hello"));
    outlet->SayEnd();
    CHECK(outlet->WaitForClose().ok());
    CHECK(at.broker->pairs() == 0);
  }
}

// Encrypted ones only: others are on loopback, where nothing drops anything.
TEST_CASE("A parked connection that is of no use delays one opening, once", "[stitched][slow]") {
  EncryptedRelayed at;
  at.Prime();
  at.relay.SetMode(TcpRelay::Mode::kBlackhole);
  auto outlet = at.consumer.Connect("echo");
  outlet->Say("hello");
  CHECK(outlet->WaitForBytes("hello"));
  for (int i = 0; i < 5; ++i) CHECK(Opens(at.consumer.Connect("echo"), 1s));
}

}  // namespace
}  // namespace culvert::test
