// Consumer, broker and provider of ours: what a channel carries when its paths are lost.
#include <atomic>
#include <memory>
#include <string>

#include "tests/integration/sdk_resume_fixture.h"
#include "tests/integration/sdk_secure_fixture.h"
#include "tests/support/cut_stream.h"

namespace culvert::test {
namespace {

using Method = rpc::StreamInfo::Method;

// The messages of Connect and Accept streams that pass until a path is lost, and how often.
struct Loss {
  std::atomic<int> after = -1;  // negative: never
  std::atomic<int> times = 0;
  int passed = 0;  // on the broker's loop

  bool Now() {
    if (after < 0 || times == 0 || ++passed <= after) return false;
    passed = 0;
    --times;
    return true;
  }
};

TestBroker::Tamper Losing(Loss& loss) {
  return [&loss](const rpc::StreamInfo& info,
                 std::unique_ptr<rpc::Stream> stream) -> std::unique_ptr<rpc::Stream> {
    if (info.method != Method::kConnect && info.method != Method::kAccept) return stream;
    return std::make_unique<CutStream>(std::move(stream), [&loss] { return loss.Now(); });
  };
}

TEST_CASE("An encrypted channel comes through whatever message its paths are lost at",
          "[sdk][resume]") {
  Loss loss;
  TestRealm realm;
  TestBroker broker(realm, Losing(loss));
  TestProvider provider(SecureOptions(broker.address(), realm.Agent("edge-1")));
  REQUIRE(provider.WaitForRegistrations(1));
  TestConsumer consumer(SecureOptions(broker.address(), realm.User("alice")));
  const std::string text = Pattern(20000);
  constexpr int kTimes = 2;
  bool was_lost = true;
  for (int length = 0; was_lost; ++length) {
    CAPTURE(length);
    REQUIRE(length < 200);
    broker.Run([&](broker::Broker&) { loss.passed = 0; });
    loss.times = kTimes;
    loss.after = length;
    auto outlet = consumer.Connect("echo");
    for (size_t at = 0; at < text.size(); at += 4000) outlet->Say(text.substr(at, 4000));
    outlet->SayEnd();
    REQUIRE(outlet->WaitForBytes(text));
    REQUIRE(outlet->WaitForClose().ok());
    auto service = provider.Service(static_cast<size_t>(length));
    REQUIRE(service->WaitForClose().ok());
    CHECK(service->received == text);
    REQUIRE(consumer.WaitForReports(static_cast<size_t>(length) + 1));
    was_lost = loss.times < kTimes;
  }
  CHECK(provider.probes.size() == consumer.reports.size());
  CHECK(consumer.reports.front().resumes == kTimes);
}

TEST_CASE("A channel goes on at a broker that was restarted, both ways", "[sdk][resume]") {
  auto broker = std::make_unique<TestBroker>();
  const uint16_t port = broker->port();
  TestProvider provider(broker->address());
  REQUIRE(provider.WaitForRegistrations(1));
  TestConsumer consumer(broker->address());
  auto outlet = consumer.Connect("echo");
  std::string said;
  for (int restart = 0; restart < 3; ++restart) {
    CAPTURE(restart);
    const std::string more = Pattern(300000);
    outlet->Say(more);
    said += more;
    // Some of it is on its way both ways.
    REQUIRE(outlet->Wait(
        [&](const Probe& probe) { return probe.received.size() + more.size() > said.size(); }));
    broker.reset();
    broker = std::make_unique<TestBroker>(broker::Broker::Limits{}, port);
    REQUIRE(outlet->WaitForBytes(said));
  }
  outlet->SayEnd();
  CHECK(outlet->WaitForClose().ok());
  CHECK(provider.Service(0)->WaitForClose().ok());
  REQUIRE(consumer.WaitForReports(1));
  CHECK(consumer.reports[0].resumes == 3);
}

}  // namespace
}  // namespace culvert::test
