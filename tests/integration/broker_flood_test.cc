// A peer that sends without reading: the broker over streams whose transport is the test.
#include <deque>

#include "broker/broker.h"
#include "tests/integration/broker_fixture.h"

namespace culvert::test {
namespace {

using broker::Broker;
using rpc::StreamInfo;

// What a FakeStream has been told; outlives it.
struct Transport {
  rpc::Stream::Delegate* delegate = nullptr;
  bool reading = false;
  std::deque<std::string> writing;  // not taken yet
  bool finished = false;

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
    delegate->OnWritten();
  }
};

class FakeStream final : public rpc::Stream {
 public:
  explicit FakeStream(Transport& transport) : transport_(transport) {}
  ~FakeStream() override { transport_.delegate = nullptr; }
  void SetDelegate(Delegate* delegate) override { transport_.delegate = delegate; }
  void Read() override { transport_.reading = true; }
  void Write(rpc::Frame frame) override {
    transport_.writing.push_back(frame.head + std::string(frame.body.view()));
  }
  size_t pending_writes() const override { return transport_.writing.size(); }
  void Finish(absl::Status) override { transport_.finished = true; }

 private:
  Transport& transport_;
};

struct FloodFixture {
  net::EventLoop loop;
  Transport listen, consumer, provider;
  std::deque<Transport> others;  // all of them outlive the broker, which holds their streams
  Broker broker{loop, "here", {}};

  void Add(StreamInfo::Method method, Transport& transport, const std::string& first) {
    broker.AddStream({StreamInfo::Version::kV1, method, "127.0.0.1"},
                     std::make_unique<FakeStream>(transport));
    REQUIRE(transport.Flood(first, 1) == 1);
  }
  template <typename Message>
  Message Last(const Transport& transport) {
    Message message;
    REQUIRE_FALSE(transport.writing.empty());
    REQUIRE(message.ParseFromString(transport.writing.back()));
    return message;
  }
  // An open channel; nothing is being written.
  void Open() {
    using Client = RawClient<V1>;
    Add(StreamInfo::Method::kListen, listen,
        Client::ListenRequest("edge-1", kLegacy).SerializeAsString());
    const uint64_t session = Last<V1::ListenResponse>(listen).listening().session_id();
    Add(StreamInfo::Method::kConnect, consumer,
        Client::OpenRequest("edge-1", kLegacy).SerializeAsString());
    const uint64_t channel = Last<V1::ListenResponse>(listen).open_channel_response().channel_id();
    Add(StreamInfo::Method::kAccept, provider,
        Client::AcceptRequest("edge-1", session, channel, kLegacy).SerializeAsString());
    listen.TakeWrites();
    consumer.TakeWrites();
    loop.RunUntil([] { return true; }, std::chrono::seconds(1));
  }
};

TEST_CASE_METHOD(FloodFixture, "Broker reads no ping before the last one's pong is taken",
                 "[broker]") {
  Open();
  Transport* const stream = GENERATE_COPY(&listen, &consumer, &provider);
  const std::string ping = stream == &listen
                               ? PingMessage<V1::ListenRequest>().SerializeAsString()
                               : PingMessage<V1::ConnectRequest>().SerializeAsString();
  for (int round = 0; round < 3; ++round) {
    CHECK(stream->Flood(ping, 1000) == 1);
    CHECK(stream->writing.size() == 1);
    stream->TakeWrites();
  }
}

TEST_CASE_METHOD(FloodFixture, "Relay reads no message before the last one is taken", "[broker]") {
  Open();
  const bool up = GENERATE(true, false);
  Transport& from = up ? consumer : provider;
  Transport& to = up ? provider : consumer;
  const std::string data = up ? DataMessage<V1::ConnectRequest>(1, "x").SerializeAsString()
                              : DataMessage<V1::AcceptRequest>(1, "x").SerializeAsString();
  for (int round = 0; round < 3; ++round) {
    CHECK(from.Flood(data, 1000) == 1);
    CHECK(to.writing.size() == 1);
    to.TakeWrites();
  }
  // The other direction is not held by that.
  from.Flood(data, 1);
  CHECK(to.reading);
}

TEST_CASE_METHOD(FloodFixture, "Broker reads nothing of a consumer while its channel is opening",
                 "[broker]") {
  using Client = RawClient<V1>;
  Add(StreamInfo::Method::kListen, listen,
      Client::ListenRequest("edge-1", kLegacy).SerializeAsString());
  Add(StreamInfo::Method::kConnect, consumer,
      Client::OpenRequest("edge-1", kLegacy).SerializeAsString());
  CHECK_FALSE(consumer.reading);
}

TEST_CASE_METHOD(FloodFixture, "Broker offers no more to a provider that does not read its offers",
                 "[broker]") {
  using Client = RawClient<V1>;
  Add(StreamInfo::Method::kListen, listen,
      Client::ListenRequest("edge-1", kLegacy).SerializeAsString());
  broker.SetLimits({100'000, 100'000});
  size_t refused = 0;
  for (int i = 0; i < 3000; ++i) {
    others.emplace_back();
    Add(StreamInfo::Method::kConnect, others.back(),
        Client::OpenRequest("edge-1", kLegacy).SerializeAsString());
    if (others.back().finished) ++refused;
  }
  CHECK(listen.writing.size() < 1100);
  CHECK(refused > 1900);
}

}  // namespace
}  // namespace culvert::test
