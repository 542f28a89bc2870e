// Channels that lose their stitched paths, and come to others.
#include <thread>

#include "tests/integration/sdk_stitched_fixture.h"
#include "tests/support/loopback.h"

namespace culvert::test {
namespace {

template <typename At>
void EndInOrder(At& at, const std::shared_ptr<Probe>& outlet) {
  outlet->SayEnd();
  CHECK(outlet->WaitForEnd());
  CHECK(outlet->WaitForClose().ok());
  CHECK(at.NewestService()->WaitForClose().ok());
  CHECK(at.WaitForNone());
}

TEMPLATE_TEST_CASE("A channel that began on streams moves to a stitched path", "[stitched]",
                   PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.Open("echo");  // nothing is parked for the first
  outlet->Say("before");
  REQUIRE(outlet->WaitForBytes("before"));
  REQUIRE(Eventually([&] { return at.IsStitched(); }));
  CHECK(at.Resumes() == 1);
  outlet->Say(", after");
  REQUIRE(outlet->WaitForBytes("before, after"));
  CHECK(at.broker->pairs() == 1);
  EndInOrder(at, outlet);
}

TEMPLATE_TEST_CASE("A channel moves between streams and stitched paths and loses no byte",
                   "[stitched][slow]", PlainRelayed, EncryptedRelayed) {
  constexpr int kMoves = 10;
  TestType at;
  auto outlet = at.Open("echo");
  const std::string block = Pattern(1'500'000);
  std::string sent;
  const auto say = [&] {
    sent += block;
    for (size_t i = 0; i < block.size(); i += 50'000) outlet->Say(block.substr(i, 50'000));
  };
  int to_stitched = 0;
  int to_streams = 0;
  for (int i = 0; i < kMoves; ++i) {
    say();
    REQUIRE(Eventually([&] { return at.IsStitched(); }, 10s));
    ++to_stitched;
    say();
    // What is parked goes too: the next path is one over streams.
    at.relay.Reset();
    REQUIRE(Eventually(
        [&] {
          const auto channels = at.consumer.consumer->Channels();
          return channels.size() == 1 && !channels[0].stitched && !channels[0].suspended;
        },
        10s));
    ++to_streams;
  }
  CHECK(to_stitched == kMoves);
  CHECK(to_streams == kMoves);
  outlet->SayEnd();
  REQUIRE(Eventually([&] { return outlet->Wait([](const Probe& probe) { return probe.ended; }); },
                     30s));
  CHECK(outlet->received.size() == sent.size());
  CHECK((outlet->received == sent));
  CHECK(outlet->WaitForClose().ok());
  CHECK(at.NewestService()->WaitForClose().ok());
}

TEMPLATE_TEST_CASE("A channel moves while it receives as fast as it can", "[stitched]",
                   PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.Open("probe");
  auto service = at.provider.Service(0);
  const std::string block = Pattern(200'000);
  size_t said = 0;
  REQUIRE(Eventually(
      [&] {
        for (int i = 0; i < 20; ++i, ++said) service->Say(block);
        outlet->Wait([&](const Probe& probe) {
          return probe.closed || probe.received.size() + 20 * block.size() > said * block.size();
        });
        return at.IsStitched();
      },
      10s));
  service->SayEnd();
  REQUIRE(outlet->WaitForEnd());
  CHECK(outlet->received.size() == said * block.size());
}

TEMPLATE_TEST_CASE("A stitched channel goes on when its broker is started anew", "[stitched]",
                   PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.OpenStitched("echo");
  outlet->Say("before");
  REQUIRE(outlet->WaitForBytes("before"));
  at.Kill();
  outlet->Say(", while there is none");
  at.Begin();
  CHECK(outlet->WaitForBytes("before, while there is none"));
  CHECK(at.Resumes() >= 1);
  // And comes to another stitched path.
  CHECK(Eventually([&] { return at.IsStitched(); }, 10s));
  EndInOrder(at, outlet);
}

TEMPLATE_TEST_CASE("A stitched channel outlives the drain of its broker", "[stitched]",
                   PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.OpenStitched("echo");
  const std::string bytes = Pattern(3'000'000);
  outlet->Say(bytes);
  at.broker->Run([](broker::Broker& broker) { broker.Drain([] {}, 5s); });
  at.Kill();
  at.Begin();
  CHECK(outlet->WaitForBytes(bytes));
  EndInOrder(at, outlet);
}

// Each end has a connection of its own to the broker that can be cut, beside those for data.
template <typename World>
struct ControlRelayed : World {
  ControlRelayed() : World(0) {
    for (TcpRelay* relay : {&agents, &users}) relay->LeadTo(this->broker->port());
    ClientOptions of_agent = this->Agent();
    of_agent.brokers = {agents.address()};
    ClientOptions of_user = this->User();
    of_user.brokers = {users.address()};
    provider.emplace(of_agent);
    REQUIRE(provider->WaitForRegistrations(1));
    consumer.emplace(of_user);
  }
  std::vector<ChannelStatus> Channels() const { return consumer->consumer->Channels(); }
  std::shared_ptr<Probe> OpenStitched() {
    auto outlet = consumer->Connect("echo");
    outlet->Say("a");
    REQUIRE(outlet->WaitForBytes("a"));
    REQUIRE(Eventually([&] { return Channels().size() == 1 && Channels()[0].stitched; }, 10s));
    return outlet;
  }

  TcpRelay agents;
  TcpRelay users;
  std::optional<TestProvider> provider;
  std::optional<TestConsumer> consumer;
};
using PlainControl = ControlRelayed<PlainStitchWorld>;
using EncryptedControl = ControlRelayed<EncryptedStitchWorld>;

TEMPLATE_TEST_CASE("A stitched channel does not notice that the consumer's control stream is lost",
                   "[stitched]", PlainControl, EncryptedControl) {
  TestType at;
  auto outlet = at.OpenStitched();
  const uint32_t resumes = at.Channels()[0].resumes;
  size_t attached = 0;
  at.users.Cut();
  REQUIRE(Eventually([&] {
    at.broker->Run([&](broker::Broker& broker) { attached = broker.attachments(); });
    return attached == 0;
  }));
  outlet->Say("b");
  CHECK(outlet->WaitForBytes("ab"));
  REQUIRE(Eventually(
      [&] {
        at.broker->Run([&](broker::Broker& broker) { attached = broker.attachments(); });
        return attached == 1;
      },
      10s));
  outlet->Say("c");
  CHECK(outlet->WaitForBytes("abc"));
  REQUIRE(at.Channels().size() == 1);
  CHECK(at.Channels()[0].resumes == resumes);
  CHECK(at.Channels()[0].stitched);
  CHECK(at.broker->pairs() == 1);
}

TEMPLATE_TEST_CASE("A stitched channel goes on when its agent's registration is resumed",
                   "[stitched]", PlainControl, EncryptedControl) {
  TestType at;
  auto outlet = at.OpenStitched();
  at.agents.Cut();
  outlet->Say("b");
  CHECK(outlet->WaitForBytes("ab"));
  REQUIRE(at.provider->WaitForRegistrations(2));
  outlet->Say("c");
  CHECK(outlet->WaitForBytes("abc"));
  outlet->SayEnd();
  CHECK(outlet->WaitForClose().ok());
}

TEMPLATE_TEST_CASE("A stitched channel whose agent's name is taken over goes on until it ends",
                   "[stitched]", PlainStitched, EncryptedStitched) {
  TestType at;
  auto outlet = at.OpenStitched("echo");
  TestProvider other(at.Agent());
  REQUIRE(other.WaitForRegistrations(1));
  outlet->Say("hello");
  CHECK(outlet->WaitForBytes("hello"));
  CHECK(at.IsStitched());
  CHECK(at.Resumes() == 0);
  auto next = at.consumer.Connect("echo");
  next->Say("hi");
  CHECK(next->WaitForBytes("hi"));
  CHECK(other.Service(0) != nullptr);
  outlet->SayEnd();
  CHECK(outlet->WaitForClose().ok());
}

// All of it can go silent, data and control.
template <typename World>
struct DataRelayedControl : DataRelay, World {
  DataRelayedControl() : World(relay.port()) {
    relay.LeadTo(this->broker->data_port());
    control.LeadTo(this->broker->port());
    ClientOptions of_agent = this->Agent();
    of_agent.brokers = {control.address()};
    ClientOptions of_user = this->User();
    of_user.brokers = {control.address()};
    provider.emplace(of_agent);
    REQUIRE(provider->WaitForRegistrations(1));
    consumer.emplace(of_user);
  }

  TcpRelay control;
  std::optional<TestProvider> provider;
  std::optional<TestConsumer> consumer;
};
using PlainSilent = DataRelayedControl<PlainStitchWorld>;
using EncryptedSilent = DataRelayedControl<EncryptedStitchWorld>;

TEMPLATE_TEST_CASE("A silent stitched path is left as soon as the control connection is known dead",
                   "[stitched][slow]", PlainSilent, EncryptedSilent) {
  TestType at;
  auto outlet = at.consumer->Connect("echo");
  outlet->Say("before");
  REQUIRE(outlet->WaitForBytes("before"));
  REQUIRE(Eventually(
      [&] {
        const auto channels = at.consumer->consumer->Channels();
        return channels.size() == 1 && channels[0].stitched;
      },
      10s));
  for (TcpRelay* relay : {&at.relay, &at.control}) relay->SetMode(TcpRelay::Mode::kBlackhole);
  outlet->Say(", after");
  std::this_thread::sleep_for(10s);  // of the outage: longer than it takes to suspect it
  at.control.SetMode(TcpRelay::Mode::kForward);
  const auto back = std::chrono::steady_clock::now();
  // The path itself would wait until it has been silent for 20 s.
  CHECK(outlet->WaitForBytes("before, after"));
  CHECK(std::chrono::steady_clock::now() - back < 4s);
}

}  // namespace
}  // namespace culvert::test
