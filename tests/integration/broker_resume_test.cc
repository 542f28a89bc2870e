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

TEST_CASE_METHOD(ResumeFixture,
                 "Broker has a channel resumed for as long as a ticket lives at most",
                 "[broker][resume][quota]") {
  constexpr uint32_t kWeek = 7 * 24 * 3600;
  ResumingProvider edge(providers);
  auto call = consumers.Connect();
  call.Send(OpenToResume(kCapable, UINT32_MAX));
  const auto offer = edge.Offer();
  CHECK(offer.resume_timeout_s() == kWeek);
  auto accept = edge.Accept(offer.channel_id(), UINT32_MAX);
  CHECK(call.Next().open_response().resume_timeout_s() == kWeek);
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

TEST_CASE_METHOD(ResumeFixture, "Broker counts what a channel carries over its resumes",
                 "[broker][resume]") {
  Open();
  const auto carry = [](auto& from, auto& to, uint64_t up, uint64_t down) {
    from.Send(DataMessage<V1::ConnectRequest>(1, std::string(up, 'u')));
    CHECK(to.Next().data().bytes().size() == up);
    to.Send(DataMessage<V1::AcceptRequest>(1, std::string(down, 'd')));
    CHECK(from.Next().data().bytes().size() == down);
  };
  const auto live = [this] {
    std::vector<broker::LiveChannel> channels;
    broker->Run([&](broker::Broker& at) { channels = at.ListChannels("default"); });
    REQUIRE(channels.size() == 1);
    return channels[0];
  };
  carry(*consumer, *accepted, 30, 5);
  const WallTime since = live().since;
  Lose();
  for (uint32_t attempt = 2; attempt <= 3; ++attempt) {
    auto again = Resume(attempt);
    auto accept = provider->AcceptResume(provider->ResumeOffer().channel_id(), attempt);
    REQUIRE(accept.Next().has_accepted());
    REQUIRE(again.Next().has_resume_response());
    carry(again, accept, 200, 1'000);
    CHECK(live().bytes_up == 30 + 200 * (attempt - 1));
    CHECK(live().bytes_down == 5 + 1'000 * (attempt - 1));
    CHECK(live().since - since < std::chrono::milliseconds(20));
    CHECK(since - live().since < std::chrono::milliseconds(20));
    again.Cancel();
    REQUIRE(accept.End().error_code() == StatusCode::UNAVAILABLE);
    REQUIRE(broker->WaitForChannels(0));
  }
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

TEST_CASE_METHOD(ResumeFixture, "Broker says for good that a provider was restarted",
                 "[broker][resume]") {
  OpenAndLose();
  provider->listen.FinishWriting();
  REQUIRE(broker->WaitForSessions(0));
  std::optional<Client::ConnectCall> again;
  SECTION("to who comes after it") {
    provider.emplace(providers, kCapable, kIncarnation + 1);
    again.emplace(Resume(2));
  }
  SECTION("to who was held until then") {
    again.emplace(Resume(2));
    REQUIRE(broker->WaitForChannels(1));
    provider.emplace(providers, kCapable, kIncarnation + 1);
  }
  const Refused refused(*again);
  CHECK(refused.error.channel_id() == held.channel);
  CHECK(refused.error.code() == culvert::v1::ERROR_CODE_OUT_OF_RANGE);
  CHECK(refused.error.message() == "provider restarted");
  CHECK(refused.status.error_code() == StatusCode::OUT_OF_RANGE);
  CHECK(provider->HeardNothing());
}

TEST_CASE_METHOD(ResumeFixture, "Broker passes on why a provider does not resume",
                 "[broker][resume]") {
  OpenAndLose();
  const auto [code, last, status] = GENERATE(table<ErrorCode, uint64_t, StatusCode>({
      {culvert::v1::ERROR_CODE_UNKNOWN_CHANNEL, 0, StatusCode::NOT_FOUND},
      {culvert::v1::ERROR_CODE_ENDED, 17, StatusCode::OUT_OF_RANGE},
      {culvert::v1::ERROR_CODE_OUT_OF_RANGE, 0, StatusCode::OUT_OF_RANGE},
      {culvert::v1::ERROR_CODE_SHUTDOWN, 0, StatusCode::OUT_OF_RANGE},
      {culvert::v1::ERROR_CODE_RESET, 4, StatusCode::OUT_OF_RANGE},
      {culvert::v1::ERROR_CODE_DENIED, 0, StatusCode::PERMISSION_DENIED},
      {culvert::v1::ERROR_CODE_BUSY, 0, StatusCode::UNAVAILABLE},
  }));
  CAPTURE(code);
  auto again = Resume(2);
  provider->ResumeOffer();
  provider->Refuse(held.channel, code, last);
  const Refused refused(again);
  CHECK(refused.error.code() == code);
  CHECK(refused.error.last_message_id() == last);
  CHECK(refused.status.error_code() == status);
}

// --- tickets ---

TEST_CASE_METHOD(ResumeFixture, "Broker resumes nothing without the ticket of that channel",
                 "[broker][resume]") {
  OpenAndLose();
  const Held first = held;
  OpenAndLose();
  std::string words = "another channel's";
  SECTION("another channel") { held.channel = first.channel; }
  SECTION("another session") { held.session += 1; }
  SECTION("a ticket that was changed") {
    held.ticket[held.ticket.size() / 2] ^= 1;
    words = "not a ticket";
  }
  SECTION("a ticket of a session") {
    held.ticket = provider->listening.session_ticket();
    words = "not a ticket";
  }
  SECTION("no ticket") {
    held.ticket.clear();
    words = "needs a ticket";
  }
  SECTION("another name") {
    held.consumer = "b-consumer";
    words = "somebody else's";
  }
  auto again = Resume(2);
  const Refused refused(again);
  CHECK(refused.error.code() == culvert::v1::ERROR_CODE_DENIED);
  CHECK(refused.status.error_code() == StatusCode::PERMISSION_DENIED);
  CHECK_THAT(refused.status.error_message(), Catch::Matchers::Contains(words));
  // Who is not known to be the consumer ends nothing at the provider.
  CHECK(provider->HeardNothing());
}

TEST_CASE_METHOD(ResumeFixture, "Broker takes no resume for a first path", "[broker][resume]") {
  OpenAndLose();
  auto again = Resume(GENERATE(0u, 1u));
  CHECK(again.End().error_code() == StatusCode::INVALID_ARGUMENT);
  CHECK(provider->HeardNothing());
}

// --- attempts ---

TEST_CASE_METHOD(ResumeFixture, "Broker ends an older path when a higher attempt comes",
                 "[broker][resume]") {
  Open();
  auto again = Resume(2);
  const auto ended = consumer->End();
  CHECK(ended.error_code() == StatusCode::ABORTED);
  CHECK(ended.error_message() == "superseded");
  CHECK(accepted->End().error_code() == StatusCode::ABORTED);
  auto accept = provider->AcceptResume(provider->ResumeOffer().channel_id(), 2);
  CHECK(again.Next().has_resume_response());
}

TEST_CASE_METHOD(ResumeFixture, "Broker refuses attempts that are not newer than the living one",
                 "[broker][resume]") {
  OpenAndLose();
  auto living = Resume(3);
  auto accept = provider->AcceptResume(provider->ResumeOffer().channel_id(), 3);
  REQUIRE(living.Next().has_resume_response());
  REQUIRE(accept.Next().has_accepted());

  // With the old ticket too.
  auto late = Resume(GENERATE(2u, 3u));
  CHECK(late.End().error_code() == StatusCode::ABORTED);
  living.Send(DataMessage<V1::ConnectRequest>(1, "unharmed"));
  CHECK(accept.Next().data().bytes() == "unharmed");
  CHECK(provider->HeardNothing());
}

TEST_CASE_METHOD(ResumeFixture, "Broker replaces a resume that waits by a newer one",
                 "[broker][resume]") {
  OpenAndLose();
  std::optional<V1::ListenResponse::Listening> earlier;
  SECTION("for the provider's answer") {}
  SECTION("for the provider") {
    earlier = provider->listening;
    provider->listen.Cancel();
    REQUIRE(broker->WaitForSessions(0));
  }
  auto older = Resume(2);
  REQUIRE(broker->WaitForChannels(1));
  auto newer = Resume(3);
  CHECK(older.End().error_code() == StatusCode::ABORTED);
  if (earlier) {
    provider.emplace(providers, *earlier);
  } else {
    CHECK(provider->ResumeOffer().attempt() == 2);
  }
  CHECK(provider->ResumeOffer().attempt() == 3);
  CHECK(provider->AcceptResume(held.channel, 2).End().error_code() == StatusCode::NOT_FOUND);
  auto accept = provider->AcceptResume(held.channel, 3);
  CHECK(newer.Next().resume_response().attempt() == 3);
}

TEST_CASE_METHOD(ResumeFixture, "Broker pairs a resume with no opening, and the reverse",
                 "[broker][resume]") {
  OpenAndLose();
  auto again = Resume(2);
  provider->ResumeOffer();
  CHECK(provider->Accept(held.channel).End().error_code() == StatusCode::NOT_FOUND);
  auto opening = consumers.Connect();
  opening.Send(OpenToResume());
  const uint64_t channel = provider->Offer().channel_id();
  CHECK(provider->AcceptResume(channel, 1).End().error_code() == StatusCode::NOT_FOUND);
  auto accept = provider->AcceptResume(held.channel, 2);
  CHECK(again.Next().has_resume_response());
}

TEST_CASE_METHOD(ResumeFixture, "Broker leaves a provider in peace when a resume was given up",
                 "[broker][resume]") {
  OpenAndLose();
  auto again = Resume(2);
  provider->ResumeOffer();
  again.Cancel();
  REQUIRE(broker->WaitForChannels(0));
  CHECK(provider->HeardNothing());
  CHECK(provider->AcceptResume(held.channel, 2).End().error_code() == StatusCode::NOT_FOUND);
  auto later = Resume(3);
  auto accept = provider->AcceptResume(provider->ResumeOffer().channel_id(), 3);
  CHECK(later.Next().has_resume_response());
}

}  // namespace
}  // namespace culvert::test
