// How the SDK opens channels, and how it hears that one cannot be opened.
#include "tests/integration/sdk_fixture.h"
#include "tests/support/loopback.h"

namespace culvert::test {
namespace {

ServiceFactory FailingToStart(ErrorCode code) {
  return [code](const ServiceRequest&) -> absl::StatusOr<std::unique_ptr<Service>> {
    class Failing final : public Service {
     public:
      explicit Failing(ErrorCode why) : code_(why) {}
      void Start(TakenCallback started) override {
        std::move(started)(ErrorStatus(code_, "did not start"));
      }
      void Send(Bytes, TakenCallback) override {}
      void Recv(ReceivedCallback) override {}
      void Close(const absl::Status&) override {}

     private:
      const ErrorCode code_;
    };
    return std::make_unique<Failing>(code);
  };
}

TEST_CASE("Consumer hears the code with which a service did not start", "[sdk]") {
  const auto code = GENERATE(range(1U, 25U));
  // These two mean "try again", which would take the whole open_timeout.
  const bool retried = code == static_cast<uint32_t>(ErrorCode::kOffline) ||
                       code == static_cast<uint32_t>(ErrorCode::kBusy) ||
                       code == static_cast<uint32_t>(ErrorCode::kAlreadyExists);
  if (retried) return;
  SdkFixture sdk({{"failing", FailingToStart(static_cast<ErrorCode>(code))}});
  auto outlet = sdk.consumer.Connect("failing", 2s);
  const absl::Status why = outlet->WaitForClose();
  CHECK(ErrorCodeOf(why) == static_cast<ErrorCode>(code));
  CHECK(std::string(why.message()) == "did not start");
  CHECK_FALSE(outlet->opened);
  REQUIRE(sdk.provider.WaitForReports(1));
  CHECK(ErrorCodeOf(sdk.provider.reports[0].status) == static_cast<ErrorCode>(code));
  CHECK(sdk.broker.WaitForChannels(0));
}

TEST_CASE("Consumer hears the error of a service's factory", "[sdk]") {
  SdkFixture sdk({{"failing", [](const ServiceRequest&) {
                     return absl::StatusOr<std::unique_ptr<Service>>(
                         ErrorStatus(ErrorCode::kBadTarget, "not a target"));
                   }}});
  CHECK(ErrorCodeOf(sdk.consumer.Connect("failing")->WaitForClose()) == ErrorCode::kBadTarget);
}

TEST_CASE("Consumer hears that a service is not offered", "[sdk]") {
  SdkFixture sdk;
  const absl::Status why = sdk.consumer.Connect("nothing")->WaitForClose();
  CHECK(ErrorCodeOf(why) == ErrorCode::kUnknownService);
  CHECK(std::string(why.message()) == "service \"nothing\" is not offered here");
}

TEST_CASE("Consumer hears at once that a provider is unknown", "[sdk]") {
  TestBroker broker;
  TestConsumer consumer(broker.address());
  const auto start = std::chrono::steady_clock::now();
  CHECK(ErrorCodeOf(consumer.Connect("echo")->WaitForClose()) == ErrorCode::kUnknownProvider);
  CHECK(std::chrono::steady_clock::now() - start < 3s);
}

TEST_CASE("Consumer asks every broker before it believes that a provider is unknown", "[sdk]") {
  TestBroker without;
  TestBroker with;
  TestProvider provider(with.address());
  REQUIRE(provider.WaitForRegistrations(1));
  TestConsumer consumer(std::vector{without.address(), with.address()});
  auto outlet = consumer.Connect("echo");
  outlet->Say("hello");
  CHECK(outlet->WaitForBytes("hello"));

  TestBroker neither;
  TestConsumer lost(std::vector{without.address(), neither.address()});
  CHECK(ErrorCodeOf(lost.Connect("echo")->WaitForClose()) == ErrorCode::kUnknownProvider);
}

TEST_CASE("Consumer tries for open_timeout when the broker cannot be reached", "[sdk]") {
  std::string address;
  {
    const TestBroker broker;
    address = broker.address();
  }
  TestConsumer consumer(address);
  const absl::Status why = consumer.Connect("echo", 500ms)->WaitForClose();
  CHECK(absl::IsUnavailable(why));
  REQUIRE(consumer.WaitForReports(1));
  CHECK(consumer.reports[0].duration >= 490ms);  // the loop's clock has whole milliseconds
  CHECK(consumer.reports[0].duration < 5s);
}

TEST_CASE("Consumer tries again when the broker drops its stream", "[sdk]") {
  SdkFixture sdk;
  sdk.broker.DropStreams(2);
  auto outlet = sdk.consumer.Connect("echo");
  outlet->Say("hello");
  CHECK(outlet->WaitForBytes("hello"));
}

TEST_CASE("Consumer opens once a broker that was away is there and its provider has come back",
          "[sdk]") {
  Fd dead = ListenOnLoopback();
  const uint16_t port = PortOf(dead.get());
  TestConsumer consumer("127.0.0.1:" + std::to_string(port));
  auto outlet = consumer.Connect("echo");
  outlet->Say("hello");
  {
    // The first try finds something that is no broker.
    Fd dropped(::accept4(dead.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(dropped.get() >= 0);
    dead.Close();
    dropped.Reset();  // leaves nothing on the port
  }
  TestBroker broker(broker::Broker::Limits{}, port);
  // Until the provider registers it is unknown to the new broker.
  TestProvider provider(broker.address());
  CHECK(outlet->WaitForBytes("hello"));
}

TEST_CASE("Consumer gives an opening up when its outlet breaks or finishes", "[sdk]") {
  std::string address;
  {
    const TestBroker broker;
    address = broker.address();
  }
  TestConsumer consumer(address);
  auto outlet = consumer.Connect("echo", 10s);
  outlet->Break(ErrorStatus(ErrorCode::kReset, "local reset"));
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kReset);
  CHECK(consumer.WaitForReports(1));
}

TEST_CASE("Consumer over a quota opens when there is room again", "[sdk]") {
  SdkFixture sdk;
  REQUIRE(sdk.provider.WaitForRegistrations(1));
  sdk.broker.SetQuota({.channels = 1});
  auto first = sdk.consumer.Connect("echo");
  first->Say("one");
  REQUIRE(first->WaitForBytes("one"));
  auto second = sdk.consumer.Connect("echo");
  second->Say("two");
  REQUIRE(Eventually([&] { return !sdk.broker.TakeAudit(broker::AuditKind::kDeny).empty(); }));
  first->Break(ErrorStatus(ErrorCode::kReset, "enough"));
  CHECK(second->WaitForBytes("two"));
}

TEST_CASE("Consumer over a quota fails at once where it would wait in vain", "[sdk]") {
  SdkFixture sdk;
  REQUIRE(sdk.provider.WaitForRegistrations(1));
  sdk.broker.SetQuota({.channels = 0});
  const auto start = std::chrono::steady_clock::now();
  const absl::Status why = sdk.consumer.Connect("echo", 15s)->WaitForClose();
  CHECK(std::chrono::steady_clock::now() - start < 10s);
  CHECK(ErrorCodeOf(why) == ErrorCode::kLimit);
  CHECK(std::string(why.message()).find("project default has its quota of 0 channels") == 0);
}

TEST_CASE("Provider registers again after the broker went away and came back", "[sdk]") {
  auto broker = std::make_unique<TestBroker>();
  const uint16_t port = broker->port();
  TestProvider provider(broker->address());
  TestConsumer consumer(broker->address());
  REQUIRE(provider.WaitForRegistrations(1));
  auto cut = consumer.Connect("echo");
  REQUIRE(cut->Wait([](const Probe& probe) { return probe.opened; }));

  broker.reset();
  broker = std::make_unique<TestBroker>(broker::Broker::Limits{}, port);
  REQUIRE(provider.WaitForRegistrations(2));
  CHECK(absl::IsUnavailable(provider.states[1]));

  auto outlet = consumer.Connect("echo");
  outlet->Say("hello again");
  CHECK(outlet->WaitForBytes("hello again"));
}

TEST_CASE("Provider that is taken over waits before it registers again", "[sdk]") {
  TestBroker broker;
  TestProvider first(broker.address());
  REQUIRE(first.WaitForRegistrations(1));
  TestProvider second(broker.address());
  REQUIRE(second.WaitForRegistrations(1));
  REQUIRE(Eventually([&] {
    const std::lock_guard lock(first.mutex);
    return first.states.size() >= 2;
  }));
  CHECK(absl::IsAborted(first.states[1]));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("probe");
  second.Service(0);
  CHECK(first.probes.empty());
}

}  // namespace
}  // namespace culvert::test
