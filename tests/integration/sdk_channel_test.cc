// Channels between a Consumer and a Provider of the SDK.
#include "tests/integration/sdk_fixture.h"
#include "tests/support/loopback.h"

namespace culvert::test {
namespace {

TEST_CASE("SDK carries bytes both ways and ends cleanly at both ends", "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("echo");
  const std::string bytes = Pattern(3'000'000);
  outlet->Say(bytes);
  outlet->SayEnd();
  REQUIRE(outlet->WaitForEnd());
  CHECK(outlet->received == bytes);
  CHECK(outlet->WaitForClose().ok());
  CHECK(sdk.provider.Service(0)->WaitForClose().ok());

  REQUIRE(sdk.consumer.WaitForReports(1));
  REQUIRE(sdk.provider.WaitForReports(1));
  const ChannelReport& report = sdk.consumer.reports[0];
  CHECK(report.status.ok());
  CHECK(report.reason == "closed");
  CHECK(report.bytes_sent == bytes.size());
  CHECK(report.bytes_received == bytes.size());
  CHECK(report.channel_id == sdk.provider.reports[0].channel_id);
  CHECK(sdk.broker.WaitForChannels(0));
}

TEST_CASE("Provider's factory hears what the consumer asked for", "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  sdk.provider.Service(0);
  CHECK(sdk.provider.requests[0].service == "probe");
  CHECK(sdk.provider.requests[0].arg == "an arg");
  CHECK(sdk.provider.requests[0].consumer.rfind("127.0.0.1:", 0) == 0);
  CHECK(sdk.provider.requests[0].channel_id != 0);
}

TEST_CASE("SDK lets one direction go on when the other has ended", "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  Probe& first = GENERATE(true, false) ? *outlet : *service;
  Probe& second = &first == outlet.get() ? *service : *outlet;

  first.Say("the last words");
  first.SayEnd();
  REQUIRE(second.WaitForEnd());
  CHECK(second.received == "the last words");
  second.Say("an answer");
  CHECK(first.WaitForBytes("an answer"));
  second.Say(", and more");
  CHECK(first.WaitForBytes("an answer, and more"));
  CHECK_FALSE(first.closed.has_value());
  second.SayEnd();
  CHECK(first.WaitForClose().ok());
  CHECK(second.WaitForClose().ok());
}

TEST_CASE("SDK drops what comes after an end is done with both directions", "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  outlet->Say("enough");
  outlet->SayClose();
  REQUIRE(service->WaitForEnd());
  service->Say("nobody takes this");
  service->SayEnd();
  CHECK(outlet->WaitForClose().ok());
  CHECK(service->WaitForClose().ok());
  CHECK(outlet->received.empty());
}

TEST_CASE("SDK tells both ends when one end fails", "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  REQUIRE(outlet->Wait([](const Probe& probe) { return probe.opened; }));
  const bool consumer_fails = GENERATE(true, false);
  Probe& failing = consumer_fails ? *outlet : *service;
  Probe& other = consumer_fails ? *service : *outlet;
  const absl::Status why = ErrorStatus(ErrorCode::kUnreachable, "no route");

  SECTION("in Recv") { failing.FailRecv(why); }
  SECTION("in Send") {
    failing.send_result = why;
    other.Say("x");
  }
  SECTION("by itself") { failing.Break(why); }
  const absl::Status at_other = other.WaitForClose();
  CHECK(ErrorCodeOf(at_other) == ErrorCode::kUnreachable);
  CHECK(std::string(at_other.message()) == "no route");
  CHECK(ErrorCodeOf(failing.WaitForClose()) == ErrorCode::kUnreachable);
  REQUIRE(sdk.consumer.WaitForReports(1));
  CHECK(sdk.consumer.reports[0].reason == "unreachable: no route");
  CHECK(sdk.broker.WaitForChannels(0));
}

TEST_CASE("SDK holds the sender while the receiver takes nothing", "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  service->take = false;
  const std::string bytes = Pattern(2'000'000);
  outlet->Say(bytes);
  REQUIRE(service->Wait([](const Probe& probe) { return !probe.received.empty(); }));
  // One delivery, and a small message of the other direction still gets through.
  service->Say("hello");
  CHECK(outlet->WaitForBytes("hello"));
  CHECK(service->received.size() <= 256 * 1024);
  outlet->Break(absl::AbortedError("enough"));
  CHECK_FALSE(service->WaitForClose().ok());
}

TEST_CASE("SDK serves many channels at once", "[sdk][slow]") {
  SdkFixture sdk;
  constexpr size_t kChannels = 200;
  std::vector<std::shared_ptr<Probe>> outlets;
  for (size_t i = 0; i < kChannels; ++i) {
    outlets.push_back(sdk.consumer.Connect("echo", 60s));
    outlets.back()->Say("channel " + std::to_string(i));
  }
  for (size_t i = 0; i < kChannels; ++i)
    REQUIRE(outlets[i]->WaitForBytes("channel " + std::to_string(i)));
  for (auto& outlet : outlets) outlet->SayEnd();
  for (auto& outlet : outlets) CHECK(outlet->WaitForClose().ok());
  CHECK(sdk.broker.WaitForChannels(0));
}

TEST_CASE("SDK opens more channels at once than one address may have openings under way",
          "[sdk][slow]") {
  TestBroker broker({/*streams_per_address=*/1000, /*pending_per_address=*/8});
  TestProvider provider(broker.address());
  TestConsumer consumer(broker.address());
  REQUIRE(provider.WaitForRegistrations(1));
  std::vector<std::shared_ptr<Probe>> outlets;
  for (size_t i = 0; i < 50; ++i) outlets.push_back(consumer.Connect("echo"));
  for (auto& outlet : outlets) CHECK(outlet->Wait([](const Probe& probe) { return probe.opened; }));
}

}  // namespace
}  // namespace culvert::test
