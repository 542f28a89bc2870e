// Drain and destruction of Providers and Consumers.
#include "tests/integration/sdk_fixture.h"

namespace culvert::test {
namespace {

TEST_CASE("Provider is drained at once when it has no channels", "[sdk]") {
  SdkFixture sdk;
  CHECK(DrainNow(*sdk.provider.provider));
  CHECK(sdk.broker.WaitForSessions(0));
}

TEST_CASE("Provider takes nothing new while it drains and ends with its last channel", "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("echo");
  outlet->Say("before");
  REQUIRE(outlet->WaitForBytes("before"));
  std::promise<void> drained;
  auto done = drained.get_future();
  sdk.provider.provider->Drain([&drained] { drained.set_value(); });
  REQUIRE(sdk.broker.WaitForSessions(0));

  const absl::Status refused = sdk.consumer.Connect("echo", 100ms)->WaitForClose();
  CHECK_FALSE(refused.ok());
  outlet->Say(" and during");
  CHECK(outlet->WaitForBytes("before and during"));
  CHECK(done.wait_for(0s) == std::future_status::timeout);
  outlet->SayEnd();
  CHECK(outlet->WaitForClose().ok());
  CHECK(done.wait_for(10s) == std::future_status::ready);
}

TEST_CASE("Consumer is drained when its last channel and its last message are out", "[sdk]") {
  SdkFixture sdk;
  CHECK(DrainNow(*sdk.consumer.consumer));
  auto outlet = sdk.consumer.Connect("echo");
  outlet->Say("x");
  outlet->SayEnd();
  CHECK(DrainNow(*sdk.consumer.consumer));
  CHECK(outlet->WaitForClose().ok());
  sdk.consumer.consumer.reset();
  CHECK(sdk.provider.Service(0)->WaitForClose().ok());
}

TEST_CASE("Consumer closes its outlets when it is destroyed and calls nothing after that",
          "[sdk]") {
  SdkFixture sdk;
  std::vector<std::shared_ptr<Probe>> outlets;
  for (int i = 0; i < 20; ++i) {
    outlets.push_back(sdk.consumer.Connect("echo"));
    outlets.back()->Say("x");
  }
  // Some are open, some are being opened.
  REQUIRE(outlets[0]->WaitForBytes("x"));
  sdk.consumer.consumer.reset();
  for (const auto& outlet : outlets) {
    CHECK(outlet->destroyed);
    REQUIRE(outlet->closed.has_value());
    CHECK(ErrorCodeOf(*outlet->closed) == ErrorCode::kShutdown);
    CHECK(outlet->calls_after_close == 0);
  }
  CHECK(sdk.broker.WaitForChannels(0));
  // Never a clean end: the other one waits for a path.
  CHECK_FALSE(sdk.provider.Service(0)->closed);
}

TEST_CASE("Provider closes its services when it is destroyed and calls nothing after that",
          "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("echo");
  outlet->Say("x");
  REQUIRE(outlet->WaitForBytes("x"));
  auto service = sdk.provider.Service(0);
  sdk.provider.provider.reset();
  CHECK(service->destroyed);
  CHECK(ErrorCodeOf(*service->closed) == ErrorCode::kShutdown);
  CHECK(service->calls_after_close == 0);
  CHECK(sdk.broker.WaitForSessions(0));
  CHECK_FALSE(outlet->closed);  // it waits for a path
}

TEST_CASE("Consumer may be destroyed right after Connect on the loop thread", "[sdk]") {
  SdkFixture sdk;
  auto probe = std::make_shared<Probe>(*sdk.consumer.client);
  sdk.consumer.client->Run([&] {
    sdk.consumer.Connect("echo", probe);
    sdk.consumer.consumer.reset();
  });
  sdk.consumer.client->Run([] {});
  CHECK(probe->destroyed);
}

TEST_CASE("SDK ignores what an endpoint answers after the channel is over", "[sdk]") {
  SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  outlet->take = false;
  service->Say("never taken");
  REQUIRE(outlet->WaitForBytes("never taken"));
  service->Break(absl::AbortedError("gone"));
  CHECK_FALSE(outlet->WaitForClose().ok());
  outlet->TakeLate();
  outlet->Say("late");
  sdk.consumer.client->Run([] {});
  CHECK(DrainNow(*sdk.consumer.consumer));
}

}  // namespace
}  // namespace culvert::test
