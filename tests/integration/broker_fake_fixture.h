// A broker whose streams' transport is the test: nothing is read or taken but by its word.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/broker.h"
#include "broker/data_plane.h"
#include "tests/integration/broker_fixture.h"

namespace culvert::test {

using broker::Broker;

// What a FakeStream has been told; outlives it.
struct Transport {
  rpc::Stream::Delegate* delegate = nullptr;
  bool reading = false;
  std::deque<std::string> writing;  // not taken yet
  std::optional<absl::Status> finished;
  bool dropped = false;        // destroyed without Finish: cancelled
  std::shared_ptr<void> held;  // until Done()

  // Hands messages over as long as they are asked for; returns how many were.
  int Flood(const std::string& message, int limit) {
    int sent = 0;
    while (reading && sent < limit) {
      reading = false;
      ++sent;
      delegate->OnMessage(Bytes(message));
    }
    return sent;
  }
  void TakeWrites() {
    writing.clear();
    if (delegate != nullptr) delegate->OnWritten();
  }
  // gRPC holds nothing of the stream any more.
  void Done() { held.reset(); }
};

class FakeStream final : public rpc::Stream {
 public:
  explicit FakeStream(Transport& transport) : transport_(transport) {}
  ~FakeStream() override {
    transport_.delegate = nullptr;
    transport_.dropped = !transport_.finished;
  }
  void SetDelegate(Delegate* delegate) override { transport_.delegate = delegate; }
  void Read() override { transport_.reading = true; }
  void Write(rpc::Frame frame) override {
    transport_.writing.push_back(frame.head + std::string(frame.body.view()));
  }
  size_t pending_writes() const override { return transport_.writing.size(); }
  void Finish(absl::Status status) override { transport_.finished = std::move(status); }
  void HoldUntilDone(std::shared_ptr<void> what) override { transport_.held = std::move(what); }

 private:
  Transport& transport_;
};

struct FakeBrokerFixture {
  using Client = RawClient<V1>;
  using Method = rpc::StreamInfo::Method;

  net::EventLoop loop;
  Transport listen, consumer, provider;
  std::deque<Transport> others;  // all of them outlive the broker, which holds their streams
  const std::unique_ptr<broker::DataPlane> data_plane;  // null without a data port
  Broker broker;

  explicit FakeBrokerFixture(const Broker::Times& times = {.start_wait = Duration::zero()},
                             const Broker::Limits& limits = {})
      : FakeBrokerFixture(times, limits, [](net::EventLoop&) { return nullptr; }) {}
  // With the data plane that `make` makes.
  FakeBrokerFixture(const Broker::Times& times, const Broker::Limits& limits,
                    const std::function<std::unique_ptr<broker::DataPlane>(net::EventLoop&)>& make,
                    const Broker::Access& access = {})
      : data_plane(make(loop)), broker(loop, "here", limits, times, access, data_plane.get()) {}
  ~FakeBrokerFixture() {
    for (Transport* transport : {&listen, &consumer, &provider}) transport->Done();
    for (Transport& transport : others) transport.Done();  // what they hold counts in the broker
  }

  // Over the connection that comes from `port`.
  void Add(Method method, Transport& transport, uint16_t port = 4022) {
    broker.AddStream({rpc::StreamInfo::Version::kV1, method, "127.0.0.1", port},
                     std::make_unique<FakeStream>(transport));
  }
  void Add(Method method, Transport& transport, const std::string& first, uint16_t port = 4022) {
    Add(method, transport, port);
    REQUIRE(transport.Flood(first, 1) == 1);
  }
  uint64_t Register(Transport& transport) {
    Add(Method::kListen, transport, Client::ListenRequest("edge-1", kCapable).SerializeAsString());
    return Last<V1::ListenResponse>(transport).listening().session_id();
  }
  void Open(Transport& transport, uint64_t caps = kCapable) {
    Add(Method::kConnect, transport, Client::OpenRequest("edge-1", caps).SerializeAsString());
  }
  uint64_t Offered(const Transport& transport) {
    return Last<V1::ListenResponse>(transport).open_channel_response().channel_id();
  }
  void Accept(Transport& transport, uint64_t session, uint64_t channel) {
    Add(Method::kAccept, transport,
        Client::AcceptRequest("edge-1", session, channel, kCapable).SerializeAsString());
  }
  // Runs the loop until `done`, at most 5 s.
  bool Run(const std::function<bool()>& done) {
    return loop.RunUntil(done, std::chrono::seconds(5));
  }
  // Lets the broker sweep what ended.
  void Turn() {
    bool turned = false;
    loop.Post([&] { loop.Post([&] { turned = true; }); });
    REQUIRE(Run([&] { return turned; }));
  }
  template <typename Message>
  Message Last(const Transport& transport) {
    Message message;
    REQUIRE_FALSE(transport.writing.empty());
    REQUIRE(message.ParseFromString(transport.writing.back()));
    return message;
  }
  // An open channel; nothing is being written.
  void OpenChannel() {
    Add(Method::kListen, listen, Client::ListenRequest("edge-1", kLegacy).SerializeAsString());
    const uint64_t session = Last<V1::ListenResponse>(listen).listening().session_id();
    Add(Method::kConnect, consumer, Client::OpenRequest("edge-1", kLegacy).SerializeAsString());
    const uint64_t channel = Last<V1::ListenResponse>(listen).open_channel_response().channel_id();
    Add(Method::kAccept, provider,
        Client::AcceptRequest("edge-1", session, channel, kLegacy).SerializeAsString());
    listen.TakeWrites();
    consumer.TakeWrites();
    Turn();
  }
};

}  // namespace culvert::test
