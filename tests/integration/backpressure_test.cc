// What readers that stop may cost: docs/protocol.md, "Flow control and memory".
#include <atomic>
#include <thread>

#include "sdk/client_core.h"
#include "tests/integration/broker_fixture.h"
#include "tests/integration/sdk_fixture.h"
#include "tests/integration/stream_fixture.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using rpc::Frame;
using rpc::StreamFixture;

// Feeds a stream one frame after the other, as long as the transport takes them.
class Feeder final : public rpc::Stream::Delegate {
 public:
  static constexpr size_t kFrame = 16 * 1024;
  Feeder(std::unique_ptr<rpc::Stream> stream, size_t& accepted)
      : accepted_(accepted), stream_(std::move(stream)) {
    stream_->SetDelegate(this);
    Feed();
  }

 private:
  void Feed() { stream_->Write(Frame{"", Bytes(std::string(kFrame, 'x'))}); }
  void OnMessage(Bytes) override {}
  void OnWritten() override {
    accepted_ += kFrame;
    Feed();
  }
  void OnEnd(absl::Status) override {}

  size_t& accepted_;
  std::unique_ptr<rpc::Stream> stream_;
};

// Waits until `value` (read on `thread`'s loop) has stood still for a while.
size_t Plateau(net::LoopThread& thread, const size_t& value) {
  size_t last = 0;
  auto since = std::chrono::steady_clock::now();
  test::Eventually(
      [&] {
        size_t now = 0;
        thread.Run([&] { now = value; });
        if (now != last) since = std::chrono::steady_clock::now();
        last = now;
        return std::chrono::steady_clock::now() - since > 500ms;
      },
      20s);
  return last;
}

TEST_CASE("Streams that the server does not read take its lookahead and no more",
          "[backpressure][slow]") {
  StreamFixture streams(/*server_reads=*/false);
  constexpr size_t kStreams = 50;
  size_t accepted = 0;
  std::vector<std::unique_ptr<Feeder>> feeders;
  streams.client.Run([&] {
    for (size_t i = 0; i < kStreams; ++i)
      feeders.push_back(std::make_unique<Feeder>(streams.Start(), accepted));
  });
  const size_t plateau = Plateau(streams.client.thread, accepted);
  INFO("50 unread streams to the broker took " << plateau / 1024 << " KiB");
  CHECK(plateau >= kStreams * Feeder::kFrame);
  // 256 KiB each, and what the sockets hold. gRPC's defaults would take 1.6 GiB.
  CHECK(plateau <= kStreams * 320 * 1024 + 4 * 1024 * 1024);
  streams.client.Run([&] { feeders.clear(); });
}

TEST_CASE("Streams that the client does not read take its lookahead and no more",
          "[backpressure][slow]") {
  StreamFixture streams(/*server_reads=*/false);
  constexpr size_t kStreams = 20;
  size_t accepted = 0;
  std::vector<std::unique_ptr<rpc::Stream>> unread;
  rpc::StreamLog log;
  REQUIRE(streams.WaitForStream());  // the one that is read
  streams.client.Run([&] {
    for (size_t i = 0; i < kStreams; ++i) {
      unread.push_back(streams.Start());
      unread.back()->SetDelegate(&log);
    }
  });
  REQUIRE(streams.server.Wait([&] { return streams.others.size() == kStreams; }));
  std::vector<std::unique_ptr<Feeder>> feeders;
  streams.server.Run([&] {
    for (auto& stream : streams.others)
      feeders.push_back(std::make_unique<Feeder>(std::move(stream), accepted));
    streams.others.clear();
  });
  const size_t plateau = Plateau(streams.server.thread, accepted);
  INFO("20 unread streams to an endpoint took " << plateau / 1024 << " KiB");
  CHECK(plateau <= kStreams * 1200 * 1024 + 4 * 1024 * 1024);
  streams.server.Run([&] { feeders.clear(); });
  streams.client.Run([&] { unread.clear(); });
}

TEST_CASE("Relay holds back a provider whose consumer does not read", "[backpressure][slow]") {
  test::TestBroker broker;
  test::RawChannel<test::V1, test::V1> stalled(broker, test::kLegacy, test::kLegacy);
  size_t accepted = 0;
  std::atomic<bool> blocked = false;
  // A writer of its own: it blocks once the relay does not take more.
  std::thread writer([&] {
    uint64_t id = 0;
    const std::string bytes(240 * 1024, 'x');
    while (accepted < 64 * 1024 * 1024) {
      if (!stalled.accept.Send(test::DataMessage<test::V1::AcceptRequest>(++id, bytes))) break;
      accepted += bytes.size();
    }
    blocked = true;
  });
  // A neighbour is not slowed: 16 MiB pass while the other one stands.
  test::RawClient<test::V1> client(broker.address());
  test::RawProvider<test::V1> provider(client, "edge-2", test::kLegacy);
  auto consumer = client.Open("edge-2", test::kLegacy);
  auto accept = provider.Accept(provider.Offer().channel_id());
  REQUIRE(consumer.Next().has_open_response());
  for (uint64_t id = 1; id <= 68; ++id) {
    REQUIRE(
        accept.Send(test::DataMessage<test::V1::AcceptRequest>(id, std::string(240 * 1024, 'y'))));
    REQUIRE(consumer.Next().data().id() == id);
  }
  CHECK_FALSE(blocked);  // nor has it ended: it waits in the middle
  stalled.accept.Cancel();
  writer.join();
  INFO("a provider whose consumer does not read sent " << accepted / 1024 << " KiB");
  // 256 KiB of the broker's lookahead, 64 KiB of the consumer's, a message in flight at each place.
  CHECK(accepted <= 1280 * 1024);
}

TEST_CASE("Channel whose reader takes nothing holds no more than its window",
          "[backpressure][slow]") {
  test::SdkFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  outlet->take = false;
  service->Say(std::string(16 * 1024 * 1024, 'x'));
  REQUIRE(outlet->Wait([](const test::Probe& probe) { return !probe.received.empty(); }));
  size_t held = 0;
  for (auto* client : {sdk.consumer.client.get(), sdk.provider.client.get()})
    client->Run([&] { held += client->core().budget().used(); });
  INFO("both ends of a stalled channel hold " << held / 1024 << " KiB");
  CHECK(held <= 2 * 512 * 1024);
}

}  // namespace
}  // namespace culvert
