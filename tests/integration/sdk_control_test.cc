// What a consumer's control stream means for its channels.
#include <atomic>
#include <future>
#include <memory>
#include <string>

#include "sdk/client_core.h"
#include "tests/integration/sdk_resume_fixture.h"
#include "tests/support/played_control.h"

namespace culvert::test {
namespace {

// Tells of the end of the broker once `stopping` is set, and answers pings.
PlayedBroker::Attach Attached(std::shared_future<void> stopping, std::atomic<int>& streams) {
  return [stopping, &streams](PlayedControl::AttachStream& stream) {
    PlayedControl::Greet(stream);
    if (++streams == 1) {
      stopping.wait();
      culvert::v1::Notice notice;
      notice.mutable_drain()->set_deadline_ms(200);
      PlayedControl::Tell(stream, notice);
    }
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  };
}

TEST_CASE("Consumer moves its channels when its control stream says that the broker stops",
          "[sdk][resume]") {
  PlayedProvider played;
  std::promise<void> stop;
  std::atomic<int> attached = 0;
  std::atomic<int> at_second = 0;
  const bool only_one = GENERATE(false, true);
  PlayedBroker first(nullptr, Serving(played), Attached(stop.get_future().share(), attached));
  PlayedBroker second(PlayedBroker::Connect([&](Stream& stream) {
    ++at_second;
    return played.Serve(stream);
  }));
  std::vector<std::string> brokers{first.address()};
  if (!only_one) brokers.push_back(second.address());
  TestConsumer consumer(brokers);
  auto outlet = consumer.Connect("echo");
  outlet->Say("one");
  REQUIRE(outlet->WaitForBytes("one"));
  REQUIRE(Eventually([&] { return attached == 1; }));
  CHECK(played.Resumes().empty());
  stop.set_value();
  // The first path is served for as long as it is there: the resume waits for its end.
  REQUIRE(Eventually([&] { return !played.Resumes().empty(); }));
  outlet->Say(" two");
  CHECK(outlet->WaitForBytes("one two"));
  CHECK(at_second == (only_one ? 0 : 1));
}

struct HeldResume {
  // The first resume is held, as while its provider is away.
  explicit HeldResume(PlayedProvider& provider) : played(provider) {}
  grpc::Status Serve(Stream& stream) {
    if (++streams == 2) released.wait();
    return played.Serve(stream);
  }
  void HearOfNetwork(TestConsumer& consumer) {
    consumer.client->core().RunOnLoop(
        [&] { consumer.client->core().connectivity().HandleNetworkChange(); });
  }

  PlayedProvider& played;
  std::atomic<int> streams = 0;
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
};

TEST_CASE("Consumer leaves a resume where it is that an attentive broker holds",
          "[sdk][resume][slow]") {
  PlayedProvider played;
  const Cut cut(4, played);
  HeldResume held(played);
  const bool attentive = GENERATE(true, false);
  std::atomic<int> attached = 0;
  PlayedBroker broker(
      nullptr, [&](Stream& stream) { return held.Serve(stream); },
      attentive ? PlayedBroker::Attach([&](PlayedControl::AttachStream& stream) {
        if (PlayedControl::Greet(stream)) ++attached;
        PlayedControl::AnswerPings(stream);
        return grpc::Status::OK;
      })
                : nullptr);
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  REQUIRE(Eventually([&] { return held.streams == 2 && (!attentive || attached == 1); }));
  const MonotonicTime asked = MonotonicNow();
  REQUIRE(Eventually([&] { return MonotonicNow() - asked > 1100ms; }));
  for (int i = 0; i < 3; ++i) held.HearOfNetwork(consumer);
  // Another try would be there by now.
  const bool again = Eventually([&] { return held.streams > 2; }, 1s);
  CHECK(again != attentive);
  held.release.set_value();
  CHECK(outlet->WaitForBytes(Pattern(10000)));
  if (attentive) CHECK(held.streams == 2);
}

}  // namespace
}  // namespace culvert::test
