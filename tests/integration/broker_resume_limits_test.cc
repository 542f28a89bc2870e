// How long resumes wait, how many of them there may be, and what is on record of them.
#include "tests/integration/broker_resume_fixture.h"

namespace culvert::test {
namespace {

using namespace std::chrono_literals;
using broker::AuditKind;

struct HastyFixture : ResumeFixture {
  HastyFixture()
      : ResumeFixture({.start_wait = 0ms, .resume_wait = 200ms, .resume_answer = 200ms}) {}
};

TEST_CASE_METHOD(HastyFixture, "Broker holds a resume while its provider is away, and not for ever",
                 "[broker][resume]") {
  OpenAndLose();
  provider->listen.Cancel();
  REQUIRE(broker->WaitForSessions(0));
  const auto start = std::chrono::steady_clock::now();
  auto again = Resume(2);
  const Refused refused(again);
  CHECK(std::chrono::steady_clock::now() - start >= 200ms);
  CHECK(refused.error.code() == culvert::v1::ERROR_CODE_OFFLINE);
  CHECK(refused.error.retry_after_ms() > 0);
  CHECK(refused.status.error_code() == StatusCode::UNAVAILABLE);
}

TEST_CASE_METHOD(HastyFixture, "Broker gives a resume up whose provider does not answer",
                 "[broker][resume]") {
  OpenAndLose();
  auto again = Resume(2);
  provider->ResumeOffer();
  const Refused refused(again);
  CHECK(refused.error.code() == culvert::v1::ERROR_CODE_TIMEOUT);
  CHECK(refused.error.retry_after_ms() > 0);
  CHECK(refused.status.error_code() == StatusCode::UNAVAILABLE);
  CHECK(provider->HeardNothing());
}

struct FewHeldFixture : ResumeFixture {
  FewHeldFixture() : ResumeFixture({.start_wait = 0ms}, {.held_resumes = 2}) {}
};

TEST_CASE_METHOD(FewHeldFixture, "Broker holds so many resumes of one consumer and no more",
                 "[broker][resume]") {
  std::vector<Held> all;
  for (int i = 0; i < 3; ++i) {
    OpenAndLose();
    all.push_back(held);
  }
  const auto earlier = provider->listening;
  provider->listen.Cancel();
  REQUIRE(broker->WaitForSessions(0));
  std::vector<Client::ConnectCall> calls;
  for (size_t i = 0; i < 2; ++i) {
    held = all[i];
    calls.push_back(Resume(2));
    REQUIRE(broker->WaitForChannels(i + 1));
  }
  held = all[2];
  auto beyond = Resume(2);
  const Refused refused(beyond);
  CHECK(refused.error.code() == culvert::v1::ERROR_CODE_BUSY);
  CHECK(refused.error.retry_after_ms() > 0);
  CHECK(refused.status.error_code() == StatusCode::UNAVAILABLE);

  // A newer attempt takes the place of the older one.
  held = all[0];
  auto newer = Resume(3);
  CHECK(calls[0].End().error_code() == StatusCode::ABORTED);
  REQUIRE(broker->WaitForChannels(2));
  // None of them counts when the provider is back.
  provider.emplace(providers, earlier);
  provider->ResumeOffer();
  provider->ResumeOffer();
  provider->listen.Cancel();
  newer.Cancel();
  calls[1].Cancel();
  REQUIRE(broker->WaitForChannels(0));
  REQUIRE(broker->WaitForSessions(0));
  held = all[2];
  auto now = Resume(2);
  CHECK(broker->WaitForChannels(1));
}

struct SlowFixture : ResumeFixture {
  SlowFixture()
      : ResumeFixture({.start_wait = 0ms}, {.resumes = {.per_second = 0.001, .burst = 1}}) {}
};

TEST_CASE_METHOD(SlowFixture, "Broker takes so many resumes at once and no more",
                 "[broker][resume]") {
  OpenAndLose();
  auto first = Resume(2);
  CHECK(provider->ResumeOffer().attempt() == 2);
  auto second = Resume(3);
  const Refused refused(second);
  CHECK(refused.error.code() == culvert::v1::ERROR_CODE_BUSY);
  CHECK(refused.error.retry_after_ms() > 100);
  CHECK(refused.status.error_code() == StatusCode::UNAVAILABLE);
  auto accept = provider->AcceptResume(held.channel, 2);
  CHECK(first.Next().has_resume_response());
}

struct FullFixture : ResumeFixture {
  FullFixture() : ResumeFixture({.start_wait = 0ms}, {.pending_per_address = 1}) {}
};

TEST_CASE_METHOD(FullFixture, "Broker resumes above the quota of openings, which waits for it",
                 "[broker][resume]") {
  OpenAndLose();
  auto opening = consumers.Connect();
  opening.Send(OpenToResume());
  const uint64_t channel = provider->Offer().channel_id();
  auto again = Resume(2);
  CHECK(provider->ResumeOffer().attempt() == 2);
  auto accept_opening = provider->Accept(channel);
  REQUIRE(opening.Next().has_open_response());

  // One is under way: the resume.
  auto refused = consumers.Connect();
  refused.Send(OpenToResume());
  CHECK(refused.End().error_code() == StatusCode::RESOURCE_EXHAUSTED);
  auto accept = provider->AcceptResume(held.channel, 2);
  REQUIRE(again.Next().has_resume_response());
  auto another = consumers.Connect();
  another.Send(OpenToResume());
  CHECK(provider->Offer().service() == "echo");
}

TEST_CASE_METHOD(ResumeFixture, "Broker that drains lets nobody wait for a provider",
                 "[broker][resume]") {
  OpenAndLose();
  provider->listen.Cancel();
  REQUIRE(broker->WaitForSessions(0));
  auto again = Resume(2);
  REQUIRE(broker->WaitForChannels(1));
  broker->Run([](broker::Broker& at) { at.Drain([] {}); });
  CHECK(again.End().error_code() == StatusCode::UNAVAILABLE);
}

TEST_CASE_METHOD(ResumeFixture, "Broker records who has resumed, and the bytes of each path",
                 "[broker][resume]") {
  Open();
  consumer->Send(DataMessage<V1::ConnectRequest>(1, "before"));
  CHECK(accepted->Next().data().bytes() == "before");
  Lose();
  auto again = Resume(2);
  auto accept = provider->AcceptResume(provider->ResumeOffer().channel_id(), 2);
  REQUIRE(again.Next().has_resume_response());
  REQUIRE(accept.Next().has_accepted());
  again.Send(DataMessage<V1::ConnectRequest>(2, "on"));
  CHECK(accept.Next().data().bytes() == "on");
  again.Cancel();
  CHECK(accept.End().error_code() == StatusCode::UNAVAILABLE);
  REQUIRE(broker->WaitForChannels(0));

  std::vector<broker::AuditEvent> events = broker->TakeAudit();
  std::erase_if(events, [](const auto& event) { return event.kind == AuditKind::kRegister; });
  REQUIRE(events.size() == 4);
  CHECK(events[0].kind == AuditKind::kOpen);
  CHECK(events[1].kind == AuditKind::kClose);
  CHECK(events[1].bytes_sent == 6);
  CHECK(events[2].kind == AuditKind::kResume);
  CHECK(events[2].agent == "edge-1");
  CHECK(events[2].service == "echo");
  CHECK(events[2].channel == events[0].channel);
  CHECK(events[2].reason == "path 2");
  CHECK(events[2].address.rfind("127.0.0.1:", 0) == 0);
  CHECK(events[3].kind == AuditKind::kClose);
  CHECK(events[3].bytes_sent == 2);
}

}  // namespace
}  // namespace culvert::test
