// Ends of a channel that go without a word, at a broker that soon judges them.
#pragma once

#include <atomic>
#include <thread>

#include "tests/integration/broker_resume_fixture.h"
#include "tests/support/eventually.h"

namespace culvert::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Duration kReturnTime = milliseconds(600);

inline broker::Broker::Times Soon(Duration return_time = kReturnTime,
                                  Duration young = Duration::zero()) {
  return {.start_wait = Duration::zero(),
          .departures = {.return_time = return_time, .settle = milliseconds(50), .young = young}};
}

// Between pings: more than broker::Session::kPings are too many.
inline void Pause() { std::this_thread::sleep_for(milliseconds(30)); }

struct DeparturesFixture : ResumeFixture {
  explicit DeparturesFixture(const broker::Broker::Times& times = Soon()) : ResumeFixture(times) {}

  MonotonicTime lost = {};

  // As the kernel does it for a program that was killed: the connection closes.
  void KillConsumer() {
    lost = MonotonicNow();
    consumer->Cancel();
    consumer.reset();
    consumers = Client(broker->address());
    REQUIRE(accepted->End().error_code() == StatusCode::UNAVAILABLE);
    REQUIRE(broker->WaitForChannels(0));
  }
  void KillProvider() {
    lost = MonotonicNow();
    provider->listen.Cancel();
    accepted->Cancel();
    REQUIRE(consumer->End().error_code() == StatusCode::UNAVAILABLE);
    REQUIRE(broker->WaitForSessions(0));
    REQUIRE(broker->WaitForChannels(0));
  }
  // What the provider hears next, while it is heard itself.
  auto NextCut() {
    while (true) {
      provider->listen.Send(PingMessage<V1::ListenRequest>());
      const V1::ListenResponse response = provider->listen.Next();
      if (response.has_pong()) {
        Pause();
        continue;
      }
      REQUIRE(response.notice().has_cut());
      REQUIRE(provider->listen.Next().has_pong());
      return response.notice().cut();
    }
  }
  // Whether the provider, which is heard itself, hears anything but pongs within `limit`.
  bool HearsSomething(Duration limit) {
    return Eventually(
        [this] {
          Pause();
          return !provider->HeardNothing();
        },
        limit);
  }
  // Reads a refusal, while others reach the broker.
  Refused NextRefusal(Client::ConnectCall& call) {
    Client other(broker->address());
    std::atomic<bool> done = false;
    std::thread pings([&] {
      auto listen = other.Listen();
      listen.Send(Client::ListenRequest("edge-2", kCapable));
      REQUIRE(listen.Next().has_listening());
      while (!done) {
        listen.Send(PingMessage<V1::ListenRequest>());
        listen.Next();
        Pause();
      }
      listen.Cancel();
    });
    const Refused refused(call);
    done = true;
    pings.join();
    return refused;
  }
  // Waits until another channel, whose consumer was lost now, is cut: what was lost before would
  // have been by then.
  void WaitForTheNextCut() {
    const uint64_t before = held.channel;
    Client others(broker->address());
    consumer.emplace(others.Connect());
    consumer->Send(OpenToResume());
    accepted.emplace(provider->Accept(provider->Offer().channel_id()));
    held = Held::Of(consumer->Next().open_response());
    REQUIRE(held.channel != before);
    REQUIRE(accepted->Next().has_accepted());
    consumer->Cancel();
    CHECK(NextCut().channel_id() == held.channel);
  }
};

}  // namespace culvert::test
