// Channels from end to end, over the death of a whole broker.
#include "base/status.h"
#include "tests/integration/broker_fixture.h"
#include "tests/integration/sdk_secure_fixture.h"

namespace culvert::test {
namespace {

// A broker that can die and come back at the same address with nothing but its ticket keys.
struct PlainWorld {
  std::optional<TestBroker> broker{std::in_place};
  const uint16_t port = broker->port();

  void Kill() { broker.reset(); }
  void Begin() { broker.emplace(broker::Broker::Limits{}, port); }
  ClientOptions Agent() { return InsecureOptions({broker->address()}, "edge-1"); }
  ClientOptions User() { return InsecureOptions({broker->address()}, "a-consumer"); }
};

struct EncryptedWorld {
  TestRealm realm;
  std::optional<TestBroker> broker{std::in_place, realm};
  const uint16_t port = broker->port();

  void Kill() { broker.reset(); }
  void Begin() { broker.emplace(realm, TestBroker::Tamper(), port); }
  const std::string agent = realm.Agent("edge-1");
  ClientOptions Agent() { return SecureOptions(broker->address(), agent); }
  ClientOptions User() { return SecureOptions(broker->address(), realm.User("alice")); }
};

template <typename World>
struct Survival : World {
  TestProvider provider{this->Agent()};
  TestConsumer consumer{this->User()};

  Survival() { REQUIRE(provider.WaitForRegistrations(1)); }

  // A channel that both ends know.
  std::shared_ptr<Probe> Open() {
    auto outlet = consumer.Connect("probe");
    provider.Service(0)->Say("hello");
    REQUIRE(outlet->WaitForBytes("hello"));
    return outlet;
  }
};

using Plain = Survival<PlainWorld>;
using Encrypted = Survival<EncryptedWorld>;

TEMPLATE_TEST_CASE("A channel goes on when its broker is started anew", "[sdk][resume]", Plain,
                   Encrypted) {
  TestType at;
  auto outlet = at.consumer.Connect("probe");
  auto service = at.provider.Service(0);
  outlet->Say("from the user");
  service->Say("from the agent");
  REQUIRE(service->WaitForBytes("from the user"));
  REQUIRE(outlet->WaitForBytes("from the agent"));

  at.Kill();
  outlet->Say(", while there is none");
  service->Say(", without a broker");
  at.Begin();
  CHECK(service->WaitForBytes("from the user, while there is none"));
  CHECK(outlet->WaitForBytes("from the agent, without a broker"));

  outlet->SayEnd();
  CHECK(service->WaitForEnd());
  service->SayEnd();
  CHECK(outlet->WaitForClose().ok());
  CHECK(service->WaitForClose().ok());
  REQUIRE(at.consumer.WaitForReports(1));
  REQUIRE(at.provider.WaitForReports(1));
  CHECK(at.consumer.reports[0].resumes == 1);
  CHECK(at.provider.reports[0].resumes == 1);
}

TEMPLATE_TEST_CASE("Channels lose no byte while brokers die under them", "[sdk][resume][slow]",
                   Plain, Encrypted) {
  constexpr size_t kChannels = 8;
  constexpr int kDeaths = 3;
  TestType at;
  std::vector<std::shared_ptr<Probe>> outlets;
  for (size_t i = 0; i < kChannels; ++i) outlets.push_back(at.consumer.Connect("echo"));
  std::string sent;
  const auto say = [&](int from) {
    for (int i = from; i < from + 200; ++i) {
      const std::string text(1 + static_cast<size_t>(i * 37 % 4096),
                             static_cast<char>('a' + i % 26));
      sent += text;
      for (const auto& outlet : outlets) outlet->Say(text);
    }
  };
  say(0);
  for (int death = 1; death <= kDeaths; ++death) {
    REQUIRE(outlets[0]->Wait([](const Probe& probe) { return !probe.received.empty(); }));
    at.Kill();
    say(death * 200);
    at.Begin();
  }
  for (const auto& outlet : outlets) {
    outlet->SayEnd();
    CHECK(outlet->WaitForBytes(sent));
    CHECK(outlet->WaitForClose().ok());
  }
}

TEMPLATE_TEST_CASE("A channel ends at both ends when its agent is started anew", "[sdk][resume]",
                   Plain, Encrypted) {
  TestType at;
  auto outlet = at.Open();
  at.Kill();
  at.provider.provider.reset();  // nobody is told
  at.Begin();
  TestProvider again(at.Agent());
  const ErrorCode code = ErrorCodeOf(outlet->WaitForClose());
  CHECK((code == ErrorCode::kOutOfRange || code == ErrorCode::kUnknownChannel));
}

TEMPLATE_TEST_CASE("An agent that drains waits for the broker that its channels need",
                   "[sdk][resume]", Plain, Encrypted) {
  TestType at;
  auto outlet = at.Open();
  auto service = at.provider.Service(0);
  at.Kill();
  auto drained = std::make_shared<std::promise<void>>();
  auto done = drained->get_future();
  at.provider.provider->Drain([drained] { drained->set_value(); });
  at.Begin();
  outlet->Say("late");
  CHECK(service->WaitForBytes("late"));
  CHECK(done.wait_for(0s) == std::future_status::timeout);
  outlet->SayEnd();
  service->SayEnd();
  CHECK(outlet->WaitForClose().ok());
  CHECK(done.wait_for(10s) == std::future_status::ready);
  CHECK(at.broker->WaitForSessions(0));
}

TEST_CASE("A legacy consumer goes on with its channel at the broker that has it", "[sdk][resume]") {
  TestBroker broker;
  TestProvider provider(broker.address());
  REQUIRE(provider.WaitForRegistrations(1));
  RawClient<V1> client(broker.address());
  const auto next_data = [](auto& call) {
    while (true) {
      const auto message = call.Next();
      if (message.has_data()) return message.data().bytes();
    }
  };
  auto call = client.Open("edge-1", kLegacy);
  const auto opened = call.Next().open_response();
  call.Send(DataMessage<V1::ConnectRequest>(1, "one"));
  REQUIRE(next_data(call) == "one");
  SECTION("before its old path has ended") {}
  SECTION("after that") {
    call.Cancel();
    REQUIRE(broker.WaitForChannels(0));
  }
  V1::ConnectRequest request;
  auto& resume = *request.mutable_resume_request();
  resume.set_project(kProject);
  resume.set_name("a-consumer");
  resume.set_provider_name("edge-1");
  resume.set_session_id(opened.session_id());
  resume.set_channel_id(opened.channel_id());
  resume.set_last_message_id(1);
  auto again = client.Connect();
  again.Send(request);
  const auto resumed = again.Next();
  REQUIRE(resumed.has_resume_response());
  CHECK(resumed.resume_response().last_message_id() == 1);
  again.Send(DataMessage<V1::ConnectRequest>(2, "two"));
  CHECK(next_data(again) == "two");
}

}  // namespace
}  // namespace culvert::test
