// Bytes a second of a project, on streams and on stitched paths. Times are wide: the machine may be
// busy.
#include <chrono>

#include "tests/integration/broker_quota_fixture.h"

namespace culvert::test {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kRate = 1'000'000;
constexpr size_t kChunk = 20'000;

struct RateFixture : QuotaFixture {
  RateFixture() { Begin(); }

  // A consumer that always has more, and a provider that takes everything: user bytes that came
  // through.
  struct Flow {
    Streams streams;
    uint64_t id = 0;
    uint64_t passed = 0;
  };
  void Push(Flow& flow) {
    Transport& from = *flow.streams.consumer;
    Transport& to = *flow.streams.provider;
    for (const std::string& written : to.writing) {
      V1::AcceptResponse response;
      REQUIRE(response.ParseFromString(written));
      if (response.has_data()) flow.passed += response.data().bytes().size();
    }
    if (!to.writing.empty()) to.TakeWrites();
    if (!from.reading) return;
    const auto data = DataMessage<V1::ConnectRequest>(++flow.id, std::string(kChunk, 'x'));
    from.Flood(data.SerializeAsString(), 1);
  }
  // For `time` at least; how long it took.
  double PushFor(std::vector<Flow*> flows, Duration time) {
    for (Flow* flow : flows) flow->passed = 0;
    const MonotonicTime start = MonotonicNow();
    loop.RunUntil(
        [&] {
          for (Flow* flow : flows) Push(*flow);
          return MonotonicNow() - start >= time;
        },
        time + 10s);
    return ToSeconds(MonotonicNow() - start);
  }
  static double RateOf(uint64_t bytes, double seconds) {
    return static_cast<double>(bytes) / seconds;
  }
};

TEST_CASE_METHOD(RateFixture, "Streams of a project keep within its bytes a second, a turn each",
                 "[quota][slow]") {
  Set({.bytes_per_second = kRate});
  Flow one{OpenStreams()};
  Flow two{OpenStreams()};
  const double seconds = PushFor({&one, &two}, 3s);
  const double all = RateOf(one.passed + two.passed, seconds);
  CHECK(all < 1.3 * kRate);
  CHECK(all > 0.6 * kRate);
  CHECK(RateOf(one.passed, seconds) > 0.3 * kRate);
  CHECK(RateOf(two.passed, seconds) > 0.3 * kRate);
  CHECK(broker.QuotaUseOf("default").bytes_per_second > kRate / 2);
}

TEST_CASE_METHOD(RateFixture, "Streams of a project that waits do not slow those of another",
                 "[quota][slow]") {
  auto request = Client::ListenRequest("edge-1", kCapable);
  request.mutable_open_request()->set_project("projects/lab");
  Transport& lab = More();
  Add(Method::kListen, lab, request.SerializeAsString());
  const uint64_t lab_session = Last<Listened>(lab).listening().session_id();
  lab.TakeWrites();
  Set({.bytes_per_second = 64 * 1024}, "lab");
  Flow slow{OpenStreams(lab, lab_session, "projects/lab")};
  Flow fast{OpenStreams()};
  PushFor({&slow, &fast}, 2s);
  CHECK(slow.passed < 300'000);
  CHECK(slow.passed > 0);
  CHECK(fast.passed > 1'000'000);
}

TEST_CASE_METHOD(RateFixture, "Messages come through whole and in order at a limit",
                 "[quota][slow]") {
  Set({.bytes_per_second = kRate});
  const Streams streams = OpenStreams();
  std::vector<uint64_t> ids;
  uint64_t sent = 0;
  CHECK(Run([&] {
    if (streams.consumer->reading && sent < 60) {
      const auto data = DataMessage<V1::ConnectRequest>(++sent, std::string(kChunk, 'x'));
      streams.consumer->Flood(data.SerializeAsString(), 1);
    } else if (streams.consumer->reading && sent == 60) {
      streams.consumer->Flood(CloseMessage<V1::ConnectRequest>(++sent).SerializeAsString(), 1);
    }
    for (const std::string& written : streams.provider->writing) {
      V1::AcceptResponse response;
      REQUIRE(response.ParseFromString(written));
      if (response.has_data()) ids.push_back(response.data().id());
      if (response.has_close()) ids.push_back(response.close().id());
    }
    if (!streams.provider->writing.empty()) streams.provider->TakeWrites();
    return ids.size() == 61;
  }));
  for (size_t i = 0; i < ids.size(); ++i) CHECK(ids[i] == i + 1);
}

TEST_CASE_METHOD(RateFixture, "Bytes in what is no data are within the bytes a second, too",
                 "[quota][slow]") {
  Set({.bytes_per_second = 64 * 1024});
  const Streams streams = OpenStreams();
  V1::ConnectRequest ack;
  ack.mutable_ack()->set_window(kWindow);
  const bool is_data = GENERATE(false, true);
  CAPTURE(is_data);
  if (is_data) ack = DataMessage<V1::ConnectRequest>(1, "x");
  // Field 1000, of kChunk bytes.
  const std::string unknown = "\xc2\x3e\xa0\x9c\x01" + std::string(kChunk, 'x');
  REQUIRE((is_data ? ack.mutable_data()->MergeFromString(unknown)
                   : ack.mutable_ack()->MergeFromString(unknown)));
  const std::string message = ack.SerializeAsString();
  size_t passed = 0;
  const MonotonicTime start = MonotonicNow();
  loop.RunUntil(
      [&] {
        for (const std::string& written : streams.provider->writing) passed += written.size();
        if (!streams.provider->writing.empty()) streams.provider->TakeWrites();
        if (streams.consumer->reading) streams.consumer->Flood(message, 1);
        return MonotonicNow() - start >= 1s;
      },
      10s);
  CHECK(passed > kChunk);
  CHECK(passed < 250'000);

  SECTION("a small one goes past what was claimed") {
    Flow flow{OpenStreams()};
    V1::AcceptRequest small;
    small.mutable_ack()->set_id(1);
    streams.consumer->TakeWrites();
    REQUIRE(streams.provider->Flood(small.SerializeAsString(), 1) == 1);
    CHECK(streams.consumer->writing.size() == 1);
  }
}

TEST_CASE_METHOD(RateFixture, "What a limit holds back is not read, and goes on when it is lifted",
                 "[quota][slow]") {
  Set({.bytes_per_second = 64 * 1024});
  Flow flow{OpenStreams()};
  PushFor({&flow}, 1s);
  CHECK(flow.passed < 200'000);
  CHECK(flow.id * kChunk <= flow.passed + kChunk);  // one message is held, no more are read
  Set({});
  PushFor({&flow}, 1s);
  CHECK(flow.passed > 1'000'000);
  Set({.bytes_per_second = kRate});
  const double seconds = PushFor({&flow}, 2s);
  CHECK(RateOf(flow.passed, seconds) < 1.5 * kRate);
}

TEST_CASE_METHOD(RateFixture, "Channel that ends while its bytes wait is cut at both ends",
                 "[quota][slow]") {
  Set({.bytes_per_second = 64 * 1024});
  Flow flow{OpenStreams()};
  PushFor({&flow}, 300ms);
  Lose(flow.streams);
  CHECK(flow.streams.provider->finished);
  CHECK(broker.channels() == 0);
}

TEST_CASE_METHOD(RateFixture, "Streams and stitched paths of a project share its bytes a second",
                 "[quota][slow]") {
  Set({.bytes_per_second = kRate});
  Parked user = ParkConsumer(*attached);
  Parked agent = ParkProvider();
  listen.TakeWrites();
  REQUIRE(OpenOver(*attached, user.id).has_opened());
  attached->TakeWrites();
  listen.TakeWrites();
  Flow flow{OpenStreams()};

  SetNonBlocking(user.fd.get());
  const std::string bytes(256 * 1024, 'x');
  uint64_t spliced = 0;
  const MonotonicTime start = MonotonicNow();
  loop.RunUntil(
      [&] {
        Push(flow);
        SendSome(user.fd.get(), bytes);
        spliced += ReadNow(agent.fd.get()).bytes.size();
        return MonotonicNow() - start >= 3s;
      },
      10s);
  const double seconds = ToSeconds(MonotonicNow() - start);
  CHECK(RateOf(flow.passed + spliced, seconds) < 1.3 * kRate);
  CHECK(RateOf(flow.passed + spliced, seconds) > 0.5 * kRate);
  CHECK(flow.passed > 0);
  CHECK(spliced > 0);
}

}  // namespace
}  // namespace culvert::test
