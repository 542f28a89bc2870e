// Programs that close their connection and do not come back.
#include <atomic>
#include <thread>

#include "tests/integration/broker_resume_fixture.h"
#include "tests/support/eventually.h"

namespace culvert::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kReturnTime = milliseconds(600);

broker::Broker::Times Soon(Duration return_time = kReturnTime, Duration young = Duration::zero()) {
  return {.start_wait = Duration::zero(),
          .departures = {.return_time = return_time, .settle = milliseconds(50), .young = young}};
}

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
      if (response.has_pong()) continue;
      REQUIRE(response.notice().has_cut());
      REQUIRE(provider->listen.Next().has_pong());
      return response.notice().cut();
    }
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

TEST_CASE_METHOD(DeparturesFixture, "Broker tells the provider that the user's program is gone",
                 "[broker][departures]") {
  Open();
  KillConsumer();
  const auto cut = NextCut();
  CHECK(MonotonicNow() - lost >= kReturnTime);
  CHECK(cut.channel_id() == held.channel);
  CHECK(cut.code() == ErrorCode::ERROR_CODE_SHUTDOWN);
  CHECK(cut.message() == "the user's program is gone");

  // It was only slow: too late.
  auto again = Resume(2);
  const Refused refused(again);
  CHECK(refused.status.error_code() == StatusCode::OUT_OF_RANGE);
  CHECK(refused.error.code() == ErrorCode::ERROR_CODE_OUT_OF_RANGE);
  CHECK(refused.error.message() == "the user's program was taken for gone");
}

TEST_CASE_METHOD(DeparturesFixture, "Broker lets a channel go on whose user is back in time",
                 "[broker][departures]") {
  Open();
  KillConsumer();
  const Held first = held;
  auto again = Resume(2);
  CHECK(provider->ResumeOffer().channel_id() == first.channel);
  auto accept = provider->AcceptResume(first.channel, 2);
  CHECK(again.Next().has_resume_response());
  REQUIRE(accept.Next().has_accepted());

  WaitForTheNextCut();
  again.Send(DataMessage<V1::ConnectRequest>(1, "still here"));
  CHECK(accept.Next().data().bytes() == "still here");
}

TEST_CASE_METHOD(DeparturesFixture, "Broker waits for a user whose resume it could not grant yet",
                 "[broker][departures]") {
  Open();
  KillConsumer();
  auto again = Resume(2);
  provider->ResumeOffer();
  provider->Refuse(held.channel, ErrorCode::ERROR_CODE_BUSY);
  CHECK(Refused(again).status.error_code() == StatusCode::UNAVAILABLE);
  WaitForTheNextCut();
}

TEST_CASE_METHOD(DeparturesFixture, "Broker takes a user for gone that closes while it resumes",
                 "[broker][departures]") {
  OpenAndLose();
  {
    Client other(broker->address());
    auto again = other.Connect();
    again.Send(held.Request(2));
    provider->ResumeOffer();
    again.Cancel();
  }
  CHECK(NextCut().channel_id() == held.channel);
}

TEST_CASE_METHOD(DeparturesFixture, "Broker waits for a user that only dropped one stream",
                 "[broker][departures]") {
  Open();
  auto other = consumers.Connect();
  other.Send(OpenToResume());
  auto other_accept = provider->Accept(provider->Offer().channel_id());
  REQUIRE(other.Next().has_open_response());
  consumer->Cancel();
  REQUIRE(accepted->End().error_code() == StatusCode::UNAVAILABLE);
  WaitForTheNextCut();
}

TEST_CASE_METHOD(DeparturesFixture, "Broker refuses for good what was held for a gone agent",
                 "[broker][departures]") {
  Open();
  KillProvider();
  auto again = Resume(2);
  const Refused refused = NextRefusal(again);
  CHECK(MonotonicNow() - lost >= kReturnTime);
  CHECK(refused.status.error_code() == StatusCode::NOT_FOUND);
  CHECK(refused.error.code() == ErrorCode::ERROR_CODE_OFFLINE);
  CHECK(refused.error.message() == "the agent's program is gone");

  // And later ones, at once.
  auto later = Resume(3);
  CHECK(Refused(later).error.message() == "the agent's program is gone");
  // Whoever comes with the session's ticket after that gets another.
  ResumingProvider back(providers, provider->listening);
  CHECK(back.session() != provider->session());
  auto last = Resume(4);
  CHECK(Refused(last).error.message() == "provider restarted");
}

TEST_CASE_METHOD(DeparturesFixture,
                 "Broker takes an agent for gone that has ended, with its channels",
                 "[broker][departures]") {
  Open();
  provider->listen.FinishWriting();
  CHECK(provider->listen.End().ok());
  REQUIRE(broker->WaitForSessions(0));
  // Longer than the time to return: the channels go on.
  REQUIRE_FALSE(broker->WaitForChannels(0, 2 * kReturnTime));
  lost = MonotonicNow();
  accepted->Cancel();
  CHECK(consumer->End().error_code() == StatusCode::UNAVAILABLE);
  auto again = Resume(2);
  CHECK(NextRefusal(again).error.message() == "the agent's program is gone");
  CHECK(MonotonicNow() - lost >= kReturnTime);
}

TEST_CASE_METHOD(DeparturesFixture, "Broker lets a session go on whose agent is back in time",
                 "[broker][departures]") {
  Open();
  KillProvider();
  auto again = Resume(2);
  ResumingProvider back(providers, provider->listening);
  CHECK(back.session() == provider->session());
  CHECK(back.ResumeOffer().channel_id() == held.channel);
  auto accept = back.AcceptResume(held.channel, 2);
  CHECK(again.Next().has_resume_response());
  provider.emplace(std::move(back));
  WaitForTheNextCut();
  again.Send(DataMessage<V1::ConnectRequest>(1, "still here"));
  REQUIRE(accept.Next().has_accepted());
  CHECK(accept.Next().data().bytes() == "still here");
}

TEST_CASE_METHOD(DeparturesFixture, "Broker takes many that close at once for a lost network",
                 "[broker][departures]") {
  provider.emplace(providers);
  struct End {
    std::unique_ptr<Client> client;
    Client::ConnectCall connect;
    Client::AcceptCall accept;
  };
  std::vector<End> ends;
  for (size_t i = 0; i < broker::Departures::kMostAtOnce + 1; ++i) {
    auto client = std::make_unique<Client>(broker->address());
    auto connect = client->Connect();
    connect.Send(OpenToResume());
    auto accept = provider->Accept(provider->Offer().channel_id());
    REQUIRE(connect.Next().has_open_response());
    ends.push_back({std::move(client), std::move(connect), std::move(accept)});
  }
  for (End& end : ends) end.connect.Cancel();
  for (End& end : ends) CHECK(end.accept.End().error_code() == StatusCode::UNAVAILABLE);

  // A verdict about them all has been passed when the broker, asked as often, says nothing.
  REQUIRE_FALSE(Eventually([this] { return !provider->HeardNothing(); }, 2 * kReturnTime));
}

struct SilentFixture : DeparturesFixture {
  SilentFixture() : DeparturesFixture(Silent()) {}
  // What was heard of any time ago counts as silent.
  static broker::Broker::Times Silent() {
    auto times = Soon(milliseconds(100));
    times.departures.fresh = Duration::zero();
    return times;
  }
};

TEST_CASE_METHOD(SilentFixture, "Broker waits for who was silent before the connection ended",
                 "[broker][departures]") {
  Open();
  SECTION("the user") {
    KillConsumer();
    REQUIRE_FALSE(Eventually([this] { return !provider->HeardNothing(); }, milliseconds(300)));
  }
  SECTION("the agent") {
    KillProvider();
    auto again = Resume(2);
    REQUIRE(broker->WaitForChannels(1));  // held, and a sign that others reach the broker
    REQUIRE_FALSE(broker->WaitForChannels(0, milliseconds(300)));
    ResumingProvider back(providers, provider->listening);
    CHECK(back.session() == provider->session());
  }
}

struct YoungFixture : DeparturesFixture {
  YoungFixture() : DeparturesFixture(Soon(milliseconds(100), seconds(600))) {}
};

TEST_CASE_METHOD(YoungFixture, "Broker that has just begun takes nobody for gone",
                 "[broker][departures]") {
  Open();
  KillConsumer();
  REQUIRE_FALSE(Eventually([this] { return !provider->HeardNothing(); }, milliseconds(300)));
}

TEST_CASE_METHOD(DeparturesFixture, "Broker that drains takes nobody for gone",
                 "[broker][departures]") {
  Open();
  broker->Run([](broker::Broker& at) { at.Drain([] {}); });
  CHECK(provider->listen.Next().notice().has_drain());
  KillConsumer();
  REQUIRE_FALSE(Eventually([this] { return !provider->HeardNothing(); }, 2 * kReturnTime));
}

}  // namespace
}  // namespace culvert::test
