// Programs that close their connection and do not come back.
#include <memory>
#include <vector>

#include "tests/integration/broker_departures_fixture.h"

namespace culvert::test {
namespace {

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

TEST_CASE_METHOD(DeparturesFixture, "Broker records whose program is gone, and with how much",
                 "[broker][departures]") {
  Open();
  // One more channel of the same connection.
  auto second = consumers.Connect();
  second.Send(OpenToResume());
  auto second_accept = provider->Accept(provider->Offer().channel_id());
  REQUIRE(second.Next().has_open_response());
  broker->TakeAudit();
  second.Cancel();
  KillConsumer();
  REQUIRE(second_accept.End().error_code() == StatusCode::UNAVAILABLE);
  REQUIRE(Eventually([&, cuts = 0]() mutable {
    Pause();
    provider->listen.Send(PingMessage<V1::ListenRequest>());
    for (auto heard = provider->listen.Next(); !heard.has_pong(); heard = provider->listen.Next()) {
      cuts += heard.notice().has_cut() ? 1 : 0;
    }
    return cuts == 2;
  }));
  std::vector<broker::AuditEvent> events;
  REQUIRE(Eventually([&] {
    for (auto& event : broker->TakeAudit(broker::AuditKind::kGone)) events.push_back(event);
    return !events.empty();
  }));
  REQUIRE(events.size() == 1);
  CHECK(events[0].project == "default");
  CHECK_THAT(events[0].address, Catch::Matchers::StartsWith("127.0.0.1:"));
  CHECK(events[0].reason ==
        "the user's program closed its connection and did not come back: 2 channels cut");
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
  const auto events = broker->TakeAudit(broker::AuditKind::kGone);
  REQUIRE(events.size() == 1);
  CHECK(events[0].agent == "edge-1");
  CHECK(events[0].reason ==
        "the agent's program closed its connection and did not come back: 1 channel cut");

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
  CHECK_FALSE(HearsSomething(2 * kReturnTime));
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
    CHECK_FALSE(HearsSomething(milliseconds(300)));
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
  CHECK_FALSE(HearsSomething(milliseconds(300)));
}

TEST_CASE_METHOD(DeparturesFixture, "Broker that drains takes nobody for gone",
                 "[broker][departures]") {
  Open();
  broker->Run([](broker::Broker& at) { at.Drain([] {}); });
  CHECK(provider->listen.Next().notice().has_drain());
  KillConsumer();
  CHECK_FALSE(HearsSomething(2 * kReturnTime));
}

}  // namespace
}  // namespace culvert::test
