// Sessions whose Listen stream was lost and comes again.
#include "tests/integration/broker_resume_fixture.h"

namespace culvert::test {
namespace {

using broker::AuditKind;

TEST_CASE_METHOD(ResumeFixture, "Broker lets a provider go on with its session",
                 "[broker][resume]") {
  Open();
  const auto earlier = provider->listening;
  SECTION("after its stream was lost") {
    provider->listen.Cancel();
    REQUIRE(broker->WaitForSessions(0));
  }
  SECTION("while the broker takes the older stream for alive") {}
  ResumingProvider back(providers, earlier);
  CHECK(back.session() == earlier.session_id());
  CHECK_FALSE(back.listening.session_ticket().empty());
  CHECK(back.listening.session_ticket() != earlier.session_ticket());
  REQUIRE(broker->WaitForSessions(1));

  // Its channels go on, and new ones come.
  consumer->Send(DataMessage<V1::ConnectRequest>(1, "still here"));
  CHECK(accepted->Next().data().bytes() == "still here");
  auto opening = consumers.Connect();
  opening.Send(OpenToResume());
  auto accept = back.Accept(back.Offer().channel_id());
  CHECK(opening.Next().open_response().session_id() == earlier.session_id());
}

TEST_CASE_METHOD(ResumeFixture, "Broker replaces a living stream of a session quietly",
                 "[broker][resume]") {
  ResumingProvider first(providers);
  REQUIRE(broker->TakeAudit(AuditKind::kRegister).size() == 1);
  ResumingProvider second(providers, first.listening);
  const grpc::Status ended = first.listen.End();
  CHECK(ended.error_code() == StatusCode::ABORTED);
  CHECK(ended.error_message() == "superseded");
  CHECK(broker->TakeAudit().empty());
  CHECK(second.HeardNothing());
}

TEST_CASE_METHOD(ResumeFixture,
                 "Broker offers again what the older stream of a session was offered",
                 "[broker][resume]") {
  OpenAndLose();
  auto opening = consumers.Connect();
  opening.Send(OpenToResume());
  const uint64_t lost = provider->Offer().channel_id();
  auto again = Resume(2);
  provider->ResumeOffer();
  ResumingProvider back(providers, provider->listening);

  // Both, in any order.
  bool opened = false;
  bool resumed = false;
  std::vector<Client::AcceptCall> accepts;
  for (int i = 0; i < 2; ++i) {
    const V1::ListenResponse response = back.listen.Next();
    if (response.has_open_channel_response()) {
      opened = true;
      CHECK(response.open_channel_response().channel_id() != lost);
      accepts.push_back(back.Accept(response.open_channel_response().channel_id()));
    } else if (response.has_resume_channel_response()) {
      resumed = true;
      accepts.push_back(back.AcceptResume(response.resume_channel_response().channel_id(), 2));
    }
  }
  CHECK(opened);
  CHECK(resumed);
  CHECK(opening.Next().has_open_response());
  CHECK(again.Next().has_resume_response());
}

TEST_CASE_METHOD(ResumeFixture, "Broker gives another session to who cannot go on with the earlier",
                 "[broker][resume]") {
  ResumingProvider first(providers);
  auto earlier = first.listening;
  uint64_t incarnation = kIncarnation;
  uint64_t caps = kCapable;
  SECTION("another process") { incarnation = kIncarnation + 1; }
  SECTION("a process that does not say which it is") { incarnation = 0; }
  SECTION("another id") { earlier.set_session_id(earlier.session_id() + 1); }
  SECTION("no ticket") { earlier.clear_session_ticket(); }
  SECTION("a ticket that was changed") { (*earlier.mutable_session_ticket())[20] ^= 1; }
  SECTION("a legacy provider with a capable one's id") { caps = kLegacy; }
  ResumingProvider second(providers, earlier, caps, incarnation);
  CHECK(second.session() != first.session());
  CHECK(second.session() != earlier.session_id());
  const grpc::Status ended = first.listen.End();
  CHECK(ended.error_code() == StatusCode::ABORTED);
  CHECK(ended.error_message() == "taken over by 127.0.0.1");
}

TEST_CASE_METHOD(ResumeFixture, "Broker lets the ticket of one name open no session of another",
                 "[broker][resume]") {
  ResumingProvider first(providers);
  auto listen = providers.Listen();
  V1::ListenRequest request;
  auto& resume = *request.mutable_resume_request();
  resume.set_project(kProject);
  resume.set_name("edge-2");
  resume.set_session_id(first.session());
  resume.set_caps(kCapable);
  resume.set_incarnation(kIncarnation);
  resume.set_session_ticket(first.listening.session_ticket());
  SECTION("as it is") {}
  SECTION("made up, as everybody can under --insecure") {
    culvert::v1::SessionTicket ticket;
    ticket.set_project(kProject);
    ticket.set_region(TestBroker::kRegion);
    ticket.set_provider("edge-2");
    ticket.set_session_id(first.session());
    ticket.set_incarnation(kIncarnation);
    resume.set_session_ticket(broker::Tickets().Seal(ticket, WallNow()));
  }
  listen.Send(request);
  CHECK(listen.Next().listening().session_id() != first.session());
  CHECK(broker->WaitForSessions(2));
  CHECK(first.HeardNothing());
}

TEST_CASE_METHOD(ResumeFixture,
                 "Broker lets live paths of a session run that another process has taken over",
                 "[broker][resume]") {
  Open();
  ResumingProvider other(providers, kCapable, kIncarnation + 1);
  CHECK(provider->listen.End().error_message() == "taken over by 127.0.0.1");
  consumer->Send(DataMessage<V1::ConnectRequest>(1, "still here"));
  CHECK(accepted->Next().data().bytes() == "still here");

  // Lost, they are lost for good.
  Lose();
  auto again = Resume(2);
  const Refused refused(again);
  CHECK(refused.error.message() == "provider restarted");
  CHECK(refused.status.error_code() == StatusCode::OUT_OF_RANGE);
  CHECK(other.HeardNothing());
}

TEST_CASE_METHOD(ResumeFixture, "Broker registers a process anew that opens another session",
                 "[broker][resume]") {
  ResumingProvider first(providers);
  ResumingProvider second(providers);
  CHECK(second.session() != first.session());
  CHECK(first.listen.End().error_code() == StatusCode::ABORTED);
}

TEST_CASE_METHOD(ResumeFixture,
                 "Broker ends the paths of a session over other connections than its new one",
                 "[broker][resume]") {
  Open();
  const auto earlier = provider->listening;
  SECTION("while it takes the older stream for alive") {}
  SECTION("when the older stream has ended, but the paths have not") {
    provider->listen.Cancel();
    REQUIRE(broker->WaitForSessions(0));
  }
  Client elsewhere(broker->address());
  ResumingProvider back(elsewhere, earlier);
  REQUIRE(back.session() == earlier.session_id());
  for (const grpc::Status& status : {consumer->End(), accepted->End()}) {
    CHECK(status.error_code() == StatusCode::UNAVAILABLE);
    CHECK(status.error_message() == "path lost");
  }
  auto again = Resume(2);
  auto accept = back.AcceptResume(back.ResumeOffer().channel_id(), 2);
  CHECK(again.Next().has_resume_response());
  again.Send(DataMessage<V1::ConnectRequest>(1, "over the new one"));
  REQUIRE(accept.Next().has_accepted());
  CHECK(accept.Next().data().bytes() == "over the new one");

  // That one stays when only the Listen stream comes again.
  ResumingProvider third(elsewhere, back.listening);
  REQUIRE(third.session() == earlier.session_id());
  again.Send(DataMessage<V1::ConnectRequest>(2, " still"));
  CHECK(accept.Next().data().bytes() == " still");
}

TEST_CASE_METHOD(ResumeFixture, "Broker lets the paths of other sessions alone when one moves",
                 "[broker][resume]") {
  Open();
  Client elsewhere(broker->address());
  RawProvider<V1> other(elsewhere, "edge-2", kCapable);
  auto opening = consumers.Open("edge-2", kCapable);
  auto accept = other.Accept(other.Offer().channel_id());
  REQUIRE(opening.Next().has_open_response());
  REQUIRE(accept.Next().has_accepted());
  ResumingProvider back(elsewhere, provider->listening);
  CHECK(consumer->End().error_message() == "path lost");
  opening.Send(DataMessage<V1::ConnectRequest>(1, "untouched"));
  CHECK(accept.Next().data().bytes() == "untouched");
}

TEST_CASE_METHOD(ResumeFixture,
                 "Broker lets the paths of a session run that is taken over from elsewhere",
                 "[broker][resume]") {
  Open();
  Client elsewhere(broker->address());
  ResumingProvider other(elsewhere, provider->listening, kCapable, kIncarnation + 1);
  REQUIRE(other.session() != provider->session());
  consumer->Send(DataMessage<V1::ConnectRequest>(1, "still here"));
  CHECK(accepted->Next().data().bytes() == "still here");
}

struct RenewingFixture : ResumeFixture {
  RenewingFixture()
      : ResumeFixture({.start_wait = Duration::zero(),
                       .session = {.ticket_renewal = std::chrono::milliseconds(50)}}) {}
};

TEST_CASE_METHOD(RenewingFixture, "Broker replaces the ticket of a session from time to time",
                 "[broker][resume]") {
  ResumingProvider first(providers);
  V1::ListenResponse::Listening newest;
  for (int i = 0; i < 2; ++i) newest = first.listen.Next().listening();
  CHECK(newest.session_id() == first.session());
  CHECK(newest.session_ticket() != first.listening.session_ticket());
  CHECK(ResumingProvider(providers, newest).session() == first.session());
}

TEST_CASE_METHOD(ResumeFixture, "Broker that was restarted knows a session by its ticket alone",
                 "[broker][resume]") {
  ResumingProvider first(providers);
  Restart();
  ResumingProvider second(providers, first.listening);
  CHECK(second.session() == first.session());
  CHECK(broker->TakeAudit(AuditKind::kRegister).size() == 1);
}

}  // namespace
}  // namespace culvert::test
