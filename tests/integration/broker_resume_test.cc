// Channels that lost their path and get another one, seen by clients that speak the protocol by
// hand.
#include "tests/integration/broker_resume_fixture.h"

namespace culvert::test {
namespace {

TEST_CASE_METHOD(ResumeFixture, "Broker agrees on the shorter resume timeout and gives a ticket",
                 "[broker][resume]") {
  ResumingProvider edge(providers);
  auto call = consumers.Connect();
  call.Send(OpenToResume(kCapable, 120));
  const auto offer = edge.Offer();
  CHECK(offer.resume_timeout_s() == 120);
  auto accept = edge.Accept(offer.channel_id(), 30);
  const auto opened = call.Next().open_response();
  CHECK(opened.resume_timeout_s() == 30);
  CHECK(opened.attempt() == 1);
  CHECK_FALSE(opened.ticket().empty());
  CHECK_FALSE(edge.listening.session_ticket().empty());
}

TEST_CASE_METHOD(ResumeFixture, "Broker gives no ticket to a consumer whose channel never resumes",
                 "[broker][resume]") {
  ResumingProvider edge(providers);
  auto call = consumers.Connect();
  const bool by_consumer = GENERATE(true, false);
  call.Send(OpenToResume(kCapable, by_consumer ? 0 : 120));
  auto accept = edge.Accept(edge.Offer().channel_id(), by_consumer ? 120 : 0);
  const auto opened = call.Next().open_response();
  CHECK(opened.resume_timeout_s() == 0);
  CHECK(opened.ticket().empty());
}

TEST_CASE_METHOD(ResumeFixture, "Broker joins both ends of a channel again", "[broker][resume]") {
  OpenAndLose();
  auto again = Resume(2, /*last=*/11);
  const auto offer = provider->ResumeOffer();
  CHECK(offer.channel_id() == held.channel);
  CHECK(offer.service() == "echo");
  CHECK(offer.last_message_id() == 11);
  CHECK(offer.attempt() == 2);
  CHECK(offer.window() == kWindow);
  CHECK(offer.caps() == kCapable);
  CHECK(offer.resume_timeout_s() == kResumeSeconds);
  CHECK(offer.consumer().address().rfind("127.0.0.1:", 0) == 0);

  auto accept = provider->AcceptResume(held.channel, 2, /*last=*/22);
  CHECK(accept.Next().has_accepted());
  const auto resumed = again.Next().resume_response();
  CHECK(resumed.session_id() == held.session);
  CHECK(resumed.channel_id() == held.channel);
  CHECK(resumed.last_message_id() == 22);
  CHECK(resumed.attempt() == 2);
  CHECK(resumed.window() == kWindow);
  CHECK(resumed.resume_timeout_s() == kResumeSeconds);
  CHECK_FALSE(resumed.ticket().empty());
  CHECK(resumed.ticket() != held.ticket);

  again.Send(DataMessage<V1::ConnectRequest>(23, "up"));
  CHECK(accept.Next().data().bytes() == "up");
  accept.Send(DataMessage<V1::AcceptRequest>(12, "down"));
  CHECK(again.Next().data().bytes() == "down");
}

TEST_CASE_METHOD(ResumeFixture, "Broker that was restarted takes up a channel that it never saw",
                 "[broker][resume]") {
  Open();
  Restart();
  const V1::ListenResponse::Listening earlier = provider->listening;
  std::optional<Client::ConnectCall> again;
  SECTION("when the provider comes first") {
    provider.emplace(providers, earlier);
    again.emplace(Resume(2));
  }
  SECTION("when the consumer comes first") {
    again.emplace(Resume(2));
    REQUIRE(broker->WaitForChannels(1));
    provider.emplace(providers, earlier);
  }
  CHECK(provider->session() == held.session);
  auto accept = provider->AcceptResume(provider->ResumeOffer().channel_id(), 2);
  CHECK(again->Next().resume_response().channel_id() == held.channel);
  again->Send(DataMessage<V1::ConnectRequest>(1, "still here"));
  REQUIRE(accept.Next().has_accepted());
  CHECK(accept.Next().data().bytes() == "still here");
}

}  // namespace
}  // namespace culvert::test
