// Resumes where one end knows only the public messages.
#include "tests/integration/broker_resume_fixture.h"

namespace culvert::test {
namespace {

TEST_CASE_METHOD(ResumeFixture, "Broker resumes a legacy consumer's channel without a ticket",
                 "[broker][resume]") {
  const uint64_t provider_caps = GENERATE(kLegacy, kCapable);
  Open(kLegacy, provider_caps);
  CHECK(held.ticket.empty());
  Lose();
  // The broker counts the attempts of who does not.
  for (uint32_t attempt = 2; attempt < 4; ++attempt) {
    auto again = Resume(0, /*last=*/5, kLegacy);
    const auto offer = provider->ResumeOffer();
    CHECK(offer.channel_id() == held.channel);
    CHECK(offer.last_message_id() == 5);
    CHECK(offer.service() == "echo");
    if (provider_caps == kLegacy) {
      CHECK_FALSE(HasAdditions(offer));
    } else {
      CHECK(offer.attempt() == attempt);
      CHECK(offer.caps() == kLegacy);
      CHECK(offer.resume_timeout_s() == 60);
    }
    auto accept = provider->AcceptResume(held.channel, attempt, /*last=*/6);
    const auto resumed = again.Next();
    CHECK_FALSE(HasAdditions(resumed));
    CHECK(resumed.resume_response().session_id() == held.session);
    CHECK(resumed.resume_response().channel_id() == held.channel);
    CHECK(resumed.resume_response().last_message_id() == 6);
    if (provider_caps != kLegacy) REQUIRE(accept.Next().has_accepted());
    again.Send(DataMessage<V1::ConnectRequest>(7, "up"));
    CHECK(accept.Next().data().bytes() == "up");
    again.Cancel();
    CHECK(accept.End().error_code() == StatusCode::UNAVAILABLE);
    REQUIRE(broker->WaitForChannels(0));
  }
}

TEST_CASE_METHOD(ResumeFixture, "Broker resumes channels of the older protocol too",
                 "[broker][resume]") {
  RawClient<V1Alpha2> older(broker->address());
  ResumingProvider edge(providers, kLegacy);
  auto call = older.Open("edge-1", kLegacy);
  auto accept = edge.Accept(edge.Offer().channel_id());
  const auto opened = call.Next().open_response();
  call.Cancel();
  CHECK(accept.End().error_code() == StatusCode::UNAVAILABLE);
  REQUIRE(broker->WaitForChannels(0));

  V1Alpha2::ConnectRequest request;
  auto& resume = *request.mutable_resume_request();
  resume.set_project(kProject);
  resume.set_name("a-consumer");
  resume.set_provider_name("edge-1");
  resume.set_session_id(opened.session_id());
  resume.set_channel_id(opened.channel_id());
  auto again = older.Connect();
  again.Send(request);
  auto accept_again = edge.AcceptResume(edge.ResumeOffer().channel_id(), 0, /*last=*/3);
  CHECK(again.Next().resume_response().last_message_id() == 3);
}

TEST_CASE_METHOD(ResumeFixture, "Broker tells a capable provider how long a legacy consumer waits",
                 "[broker][resume]") {
  ResumingProvider edge(providers);
  auto call = consumers.Connect();
  call.Send(OpenToResume(kLegacy));
  CHECK(edge.Offer().resume_timeout_s() == 60);
}

TEST_CASE_METHOD(ResumeFixture, "Broker resumes a capable consumer's channel at a legacy provider",
                 "[broker][resume]") {
  Open(kCapable, kLegacy);
  REQUIRE_FALSE(held.ticket.empty());
  Lose();
  auto again = Resume(2, /*last=*/5);
  const auto offer = provider->ResumeOffer();
  CHECK_FALSE(HasAdditions(offer));
  CHECK(offer.last_message_id() == 5);
  auto accept = provider->AcceptResume(held.channel, 0, /*last=*/6);
  const auto resumed = again.Next().resume_response();
  CHECK(resumed.last_message_id() == 6);
  CHECK(resumed.attempt() == 2);
  CHECK(resumed.resume_timeout_s() == 60);
  CHECK(resumed.caps() == kLegacy);
}

TEST_CASE_METHOD(ResumeFixture, "Broker resumes a legacy channel whose loss it has not noticed",
                 "[broker][resume]") {
  Open(kLegacy, kCapable);
  auto again = Resume(0, 0, kLegacy);
  // To a legacy peer's provider ABORTED is a reset.
  CHECK(consumer->End().error_code() == StatusCode::UNAVAILABLE);
  CHECK(accepted->End().error_code() == StatusCode::UNAVAILABLE);
  CHECK(provider->ResumeOffer().attempt() == 2);
  // Also when that came to nothing.
  again.Cancel();
  REQUIRE(broker->WaitForChannels(0));
  auto later = Resume(0, 0, kLegacy);
  CHECK(provider->ResumeOffer().attempt() == 3);
  auto accept = provider->AcceptResume(held.channel, 3);
  CHECK(later.Next().has_resume_response());
}

TEST_CASE_METHOD(ResumeFixture, "Broker resumes a legacy channel for nobody else",
                 "[broker][resume]") {
  const bool lost = GENERATE(true, false);
  Open(kLegacy, kCapable);
  if (lost) Lose();
  uint64_t caps = kLegacy;
  StatusCode code = StatusCode::OUT_OF_RANGE;
  SECTION("another name") { held.consumer = "b-consumer"; }
  SECTION("another session") { held.session += 1; }
  SECTION("another channel") { held.channel += 1; }
  SECTION("who announces capabilities") {
    caps = kCapable;
    code = StatusCode::PERMISSION_DENIED;
  }
  auto again = Resume(2, 0, caps);
  CHECK(again.End().error_code() == code);
  CHECK(provider->HeardNothing());
  CHECK(broker->WaitForChannels(lost ? 0 : 1));
}

TEST_CASE_METHOD(ResumeFixture, "Broker resumes no legacy channel that has ended in order",
                 "[broker][resume]") {
  Open(kLegacy, kCapable);
  consumer->Send(CloseMessage<V1::ConnectRequest>(1));
  REQUIRE(accepted->Next().has_close());
  consumer->FinishWriting();
  accepted->FinishWriting();
  REQUIRE(broker->WaitForChannels(0));
  auto again = Resume(0, 0, kLegacy);
  CHECK(again.End().error_code() == StatusCode::OUT_OF_RANGE);
}

TEST_CASE_METHOD(ResumeFixture, "Broker that was restarted knows no legacy channel",
                 "[broker][resume]") {
  Open(kLegacy, kCapable);
  Restart();
  provider.emplace(providers, V1::ListenResponse::Listening(provider->listening));
  auto again = Resume(0, 0, kLegacy);
  CHECK(again.End().error_code() == StatusCode::OUT_OF_RANGE);
}

TEST_CASE_METHOD(ResumeFixture, "Broker lets a legacy provider go on with a session that it holds",
                 "[broker][resume]") {
  Open(kLegacy, kLegacy);
  const auto earlier = provider->listening;
  const bool lost = GENERATE(true, false);
  if (lost) {
    provider->listen.Cancel();
    REQUIRE(broker->WaitForSessions(0));
  }
  ResumingProvider back(providers, earlier, kLegacy);
  CHECK(back.session() == earlier.session_id());
  CHECK_FALSE(HasAdditions(back.listening));
  Lose();
  auto again = Resume(0, 0, kLegacy);
  auto accept = back.AcceptResume(back.ResumeOffer().channel_id(), 0);
  CHECK(again.Next().has_resume_response());
}

TEST_CASE_METHOD(ResumeFixture, "Broker that was restarted knows no legacy session",
                 "[broker][resume]") {
  ResumingProvider first(providers, kLegacy);
  Restart();
  ResumingProvider second(providers, first.listening, kLegacy);
  CHECK(second.session() != first.session());
}

}  // namespace
}  // namespace culvert::test
