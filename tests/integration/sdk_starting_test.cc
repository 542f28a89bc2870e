// How the SDK's provider behaves between an offer and its answer, and between registrations.
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "sdk/provider_channels.h"
#include "tests/integration/broker_fixture.h"
#include "tests/integration/sdk_fixture.h"
#include "tests/support/played_broker.h"

namespace culvert::test {
namespace {

namespace pb = ntt::proxies::v1;
using ListenStream = PlayedBroker::ListenStream;

// Services that never answer Start. Counts those that live.
class Undecided final : public Service {
 public:
  explicit Undecided(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~Undecided() override { --alive_; }
  void Start(TakenCallback started) override { started_ = std::move(started); }
  void Send(Bytes, TakenCallback) override {}
  void Recv(ReceivedCallback) override {}
  void Close(const absl::Status&) override {}

 private:
  std::atomic<int>& alive_;
  TakenCallback started_;
};

std::map<std::string, ServiceFactory> UndecidedServices(std::atomic<int>& alive) {
  return {{"undecided", [&alive](const ServiceRequest&) {
             return absl::StatusOr<std::unique_ptr<Service>>(std::make_unique<Undecided>(alive));
           }}};
}

// Says that it has started, and stops in the same breath.
class Fickle final : public Service {
 public:
  explicit Fickle(absl::Status stop) : stop_(std::move(stop)) {}
  void Start(TakenCallback started) override {
    std::move(started)(absl::OkStatus());
    if (stop_.ok()) {
      Finish();
    } else {
      Break(stop_);
    }
  }
  void Send(Bytes, TakenCallback) override {}
  void Recv(ReceivedCallback) override {}
  void Close(const absl::Status&) override {}

 private:
  const absl::Status stop_;
};

std::map<std::string, ServiceFactory> FickleServices(const absl::Status& stop) {
  return {{"fickle", [stop](const ServiceRequest&) {
             return absl::StatusOr<std::unique_ptr<Service>>(std::make_unique<Fickle>(stop));
           }}};
}

TEST_CASE("Provider waits before it comes back to a broker that drops its registrations", "[sdk]") {
  std::mutex mutex;
  std::vector<std::chrono::steady_clock::time_point> registrations;
  PlayedBroker broker([&](ListenStream& stream) {
    PlayedBroker::Register(stream);
    const std::lock_guard lock(mutex);
    registrations.push_back(std::chrono::steady_clock::now());
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "dropped");
  });
  TestProvider provider(broker.address());
  REQUIRE(Eventually([&] {
    const std::lock_guard lock(mutex);
    return registrations.size() >= 5;
  }));
  // Each wait is at least half of 50 ms.
  const std::lock_guard lock(mutex);
  CHECK(registrations[4] - registrations[0] >= 100ms);
}

TEST_CASE("Provider starts a bounded number of services at a time", "[sdk]") {
  constexpr uint64_t kMost = ProviderChannels::kMaxStarting;
  std::atomic<int> alive = 0;
  std::atomic<uint64_t> first_refused = 0;
  std::atomic<uint64_t> second_refused = 0;
  std::atomic<int> code = 0;
  PlayedBroker broker([&](ListenStream& stream) {
    PlayedBroker::Register(stream);
    for (uint64_t id = 1; id <= kMost + 1; ++id) PlayedBroker::Offer(stream, id, "undecided");
    pb::ListenRequest request;
    stream.Read(&request);
    code = request.channel_open_error().code();
    first_refused = request.channel_open_error().channel_id();
    // One place is free again.
    pb::ListenResponse response;
    response.mutable_notice()->mutable_cut()->set_channel_id(1);
    stream.Write(response);
    PlayedBroker::Offer(stream, kMost + 2, "undecided");
    PlayedBroker::Offer(stream, kMost + 3, "undecided");
    stream.Read(&request);
    second_refused = request.channel_open_error().channel_id();
    stream.Read(&request);  // until the provider goes
    return grpc::Status::OK;
  });
  {
    TestProvider provider(broker.address(), UndecidedServices(alive));
    CHECK(Eventually([&] { return first_refused == kMost + 1; }));
    CHECK(code == culvert::v1::ERROR_CODE_BUSY);
    CHECK(Eventually([&] { return second_refused == kMost + 3; }));
    CHECK(Eventually([&] { return alive == static_cast<int>(kMost); }));
  }
  CHECK(alive == 0);
}

TEST_CASE("Provider gives up what it is starting when the broker cuts it", "[sdk]") {
  std::atomic<int> alive = 0;
  std::atomic<bool> cut = false;
  PlayedBroker broker([&](ListenStream& stream) {
    PlayedBroker::Register(stream);
    PlayedBroker::Offer(stream, 1, "undecided");
    while (alive == 0) std::this_thread::yield();
    pb::ListenResponse response;
    response.mutable_notice()->mutable_cut()->set_channel_id(1);
    stream.Write(response);
    cut = true;
    pb::ListenRequest request;
    stream.Read(&request);  // until the provider goes: it answers nothing
    return grpc::Status::OK;
  });
  TestProvider provider(broker.address(), UndecidedServices(alive));
  CHECK(Eventually([&] { return cut && alive == 0; }));
  REQUIRE(provider.WaitForReports(1));
  CHECK_FALSE(provider.reports[0].status.ok());
}

TEST_CASE("Provider gives up what it is starting when its session is over", "[sdk]") {
  std::atomic<int> alive = 0;
  std::atomic<bool> first = true;
  const bool lost = GENERATE(true, false);
  PlayedBroker broker([&](ListenStream& stream) {
    PlayedBroker::Register(stream);
    const bool offer = first.exchange(false);
    if (offer) PlayedBroker::Offer(stream, 1, "undecided");
    if (offer && lost) Eventually([&] { return alive == 1; });
    pb::ListenRequest request;
    if (!offer || !lost) stream.Read(&request);  // until the provider goes
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "lost");
  });
  TestProvider provider(broker.address(), UndecidedServices(alive));
  if (!lost) REQUIRE(Eventually([&] { return alive == 1; }));
  if (!lost) CHECK(DrainNow(*provider.provider));
  REQUIRE(provider.WaitForReports(1));
  CHECK(ErrorCodeOf(provider.reports[0].status) ==
        (lost ? ErrorCode::kPathLost : ErrorCode::kShutdown));
}

TEST_CASE("Provider refuses a channel whose service breaks before it is accepted", "[sdk]") {
  SdkFixture sdk(FickleServices(ErrorStatus(ErrorCode::kReset, "reset by the target")));
  auto outlet = sdk.consumer.Connect("fickle");
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kReset);
  CHECK_FALSE(outlet->opened);
}

TEST_CASE("Provider opens and ends a channel whose service finishes before it is accepted",
          "[sdk]") {
  SdkFixture sdk(FickleServices(absl::OkStatus()));
  auto outlet = sdk.consumer.Connect("fickle");
  REQUIRE(outlet->WaitForEnd());
  CHECK(outlet->opened);
  outlet->SayEnd();
  CHECK(outlet->WaitForClose().ok());
}

TEST_CASE("Consumer hears an outlet that breaks or finishes when it is opened", "[sdk]") {
  class Stopping final : public Outlet {
   public:
    Stopping(absl::Status stop, std::promise<absl::Status>& closed)
        : stop_(std::move(stop)), closed_(closed) {}
    void Opened() override {
      if (stop_.ok()) {
        Finish();
      } else {
        Break(stop_);
      }
    }
    void Send(Bytes, TakenCallback taken) override { std::move(taken)(absl::OkStatus()); }
    void Recv(ReceivedCallback) override {}
    void Close(const absl::Status& why) override { closed_.set_value(why); }

   private:
    const absl::Status stop_;
    std::promise<absl::Status>& closed_;
  };
  SdkFixture sdk;
  const absl::Status stop = GENERATE(absl::OkStatus(), absl::AbortedError("broken"));
  std::promise<absl::Status> closed;
  std::future<absl::Status> when = closed.get_future();
  sdk.consumer.consumer->Connect({"edge-1", "echo", "", 10s},
                                 std::make_unique<Stopping>(stop, closed),
                                 [](const ChannelReport&) {});
  REQUIRE(when.wait_for(10s) == std::future_status::ready);
  CHECK(when.get().ok() == stop.ok());
  CHECK(sdk.provider.Service(0)->WaitForClose().ok() == stop.ok());
}

TEST_CASE("Consumer opens many more channels at once than are let through at a time", "[sdk]") {
  SdkFixture sdk;
  std::vector<std::shared_ptr<Probe>> outlets;
  for (size_t i = 0; i < OpeningQueue::kMaxPerTarget * 3; ++i)
    outlets.push_back(sdk.consumer.Connect("echo"));
  for (const auto& outlet : outlets) {
    CHECK(outlet->Wait([](const Probe& probe) { return probe.opened; }));
    outlet->SayEnd();
  }
  CHECK(sdk.consumer.WaitForReports(outlets.size()));
}

TEST_CASE("Consumer that is destroyed starts none of the openings that wait", "[sdk]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);  // accepts nothing
  TestConsumer consumer(broker.address());
  for (size_t i = 0; i < OpeningQueue::kMaxPerTarget * 2; ++i) consumer.Connect("echo");
  for (size_t i = 0; i < OpeningQueue::kMaxPerTarget; ++i) provider.Offer();
  consumer.consumer.reset();
  // What follows the offers is that they are taken back, and no other one.
  for (size_t i = 0; i < OpeningQueue::kMaxPerTarget; ++i)
    REQUIRE(provider.listen.Next().notice().has_cut());
  consumer.consumer.emplace(*consumer.client);
  consumer.Connect("last");
  CHECK(provider.Offer().service() == "last");
}

}  // namespace
}  // namespace culvert::test
