// A Provider whose Listen stream is lost: the session, and what becomes of the channels.
#include "tests/integration/provider_resume_fixture.h"

namespace culvert::test {
namespace {

TEST_CASE("Provider takes its session up again when its stream is lost", "[resume]") {
  ProviderAt at;
  CHECK(at.opening.has_open_request());
  at.listen->End(kLost);
  const auto again = at.ListenAgain(kSession, "another ticket");
  REQUIRE(again.has_resume_request());
  CHECK(again.resume_request().session_id() == kSession);
  CHECK(again.resume_request().session_ticket() == "a ticket");
  CHECK(again.resume_request().name() == "edge-1");
  CHECK(again.resume_request().project() == kProject);
  CHECK(tunnel::IsCapable(again.resume_request().caps()));
  CHECK(again.resume_request().incarnation() == at.opening.open_request().incarnation());
  CHECK(again.resume_request().services().size() == 2);
  CHECK(at.sdk.WaitForRegistrations(2));

  at.listen->End(kLost);
  CHECK(at.ListenAgain(kSession).resume_request().session_ticket() == "another ticket");
}

TEST_CASE("Provider that is refused for now registers again when the broker said so", "[resume]") {
  ScriptedBroker broker;
  TestProvider sdk(InsecureOptions({broker.address()}, "edge-1"));
  auto listen = broker.NextListen();
  listen->Next();
  V1::ListenResponse later;
  later.mutable_notice()->mutable_retry_after()->set_ms(1'500);
  listen->Send(later);
  const auto refused = std::chrono::steady_clock::now();
  listen->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "enough of them"});
  listen = broker.NextListen();
  CHECK(std::chrono::steady_clock::now() - refused >= std::chrono::milliseconds(1'400));
  CHECK(listen->Next().has_open_request());
  listen->Send(Listening(kSession, "a ticket"));
  CHECK(sdk.WaitForRegistrations(1));
}

TEST_CASE("Provider presents the newest ticket of its session", "[resume]") {
  ProviderWithChannel at;
  at.listen->Send(Listening(kSession, "a fresh ticket"));
  at.Open(kChannel + 1);  // so that it has been read
  {
    const std::lock_guard lock(at.sdk.mutex);
    CHECK(at.sdk.states.size() == 1);  // a ticket is no registration
  }
  at.listen->End(kLost);
  CHECK(at.ListenAgain(kSession).resume_request().session_ticket() == "a fresh ticket");
}

TEST_CASE("Provider takes its session up at a broker that is started anew", "[resume]") {
  ProviderWithChannel at;
  const int port = at.broker->port();
  at.broker.emplace(port);
  CHECK(at.ListenAgain(kSession).resume_request().session_id() == kSession);
  at.ResumeChannel(2, 1)->Send(DataMessage<V1::AcceptResponse>(2, " again"));
  CHECK(at.probe->WaitForBytes("in again"));
}

TEST_CASE("Provider takes its session up at the next broker of its list", "[resume]") {
  ScriptedBroker first;
  ScriptedBroker second;
  TestProvider sdk(InsecureOptions({first.address(), second.address()}, "edge-1"));
  auto listen = first.NextListen();
  listen->Next();
  listen->Send(Listening(kSession, "a ticket"));
  REQUIRE(sdk.WaitForRegistrations(1));
  SECTION("when the first has lost it") { listen->End(kLost); }
  SECTION("when the first is about to stop") {
    V1::ListenResponse notice;
    notice.mutable_notice()->mutable_drain()->set_deadline_ms(100);
    listen->Send(notice);
    CHECK(listen->WaitForEnd());
  }
  CHECK(second.NextListen()->Next().resume_request().session_ticket() == "a ticket");
}

TEST_CASE("Provider leaves the only broker at once when it is about to stop", "[resume]") {
  ScriptedBroker broker;
  TestProvider sdk(InsecureOptions({broker.address()}, "edge-1"));
  auto listen = broker.NextListen();
  listen->Next();
  listen->Send(Listening(kSession, "a ticket"));
  REQUIRE(sdk.WaitForRegistrations(1));
  V1::ListenResponse notice;
  notice.mutable_notice()->mutable_drain()->set_deadline_ms(3'600'000);
  notice.mutable_notice()->mutable_drain()->add_brokers("192.0.2.1:7400");
  listen->Send(notice);
  CHECK(listen->WaitForEnd());
  CHECK(broker.NextListen()->Next().resume_request().session_ticket() == "a ticket");
}

// A proxy that is set up wrongly for a minute answers 404 or 403.
TEST_CASE("Provider keeps its session whatever a proxy in front of the broker answers",
          "[resume]") {
  ProviderWithChannel at;
  at.accept->End(kLost);
  at.listen->End(kLost);
  at.listen = at.broker->NextListen();
  CHECK(at.listen->Next().has_resume_request());
  at.listen->End(GENERATE(
      grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""),
      grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "Received http2 header with status: 403")));
  CHECK(at.ListenAgain(kSession).has_resume_request());
  at.ResumeChannel(2, 1)->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(at.probe->WaitForBytes("in on"));
}

TEST_CASE("Provider resets what waits for a path when its session is lost", "[resume]") {
  ProviderWithChannel at;
  auto live = at.Open(kChannel + 1);
  auto live_probe = at.sdk.Service(1);
  at.accept->End(kLost);
  SECTION("because the broker makes another one") {
    at.listen->End(kLost);
    CHECK(at.ListenAgain(kSession + 1).has_resume_request());
  }
  SECTION("because the broker refuses the ticket") {
    at.listen->End(kLost);
    at.listen = at.broker->NextListen();
    CHECK(at.listen->Next().has_resume_request());
    at.listen->End({grpc::StatusCode::PERMISSION_DENIED, "ticket has expired"});
    CHECK(at.ListenAgain(kSession + 1).has_open_request());
  }
  SECTION("because another process has taken the name over") {
    at.listen->End({grpc::StatusCode::ABORTED, "taken over by 10.0.0.1:1"});
  }
  const absl::Status why = at.probe->WaitForClose();
  CHECK(ErrorCodeOf(why) == ErrorCode::kOutOfRange);
  CHECK(MessageOf(why) == "the agent's registration was lost");

  // A path that lives runs until it ends.
  live->Send(DataMessage<V1::AcceptResponse>(1, "still here"));
  CHECK(live_probe->WaitForBytes("still here"));
  live->End(kLost);
  CHECK(ErrorCodeOf(live_probe->WaitForClose()) == ErrorCode::kOutOfRange);
}

const grpc::Status kTakenOver{grpc::StatusCode::ABORTED, "taken over by 10.0.0.1:1"};

// NextListen waits less long than somebody who was taken over.
TEST_CASE("Provider takes its registration back at once", "[resume]") {
  ProviderWithChannel at;
  SECTION("when it was taken over") {
    at.listen->End(kTakenOver);
    REQUIRE(Eventually([&] {
      const std::lock_guard lock(at.sdk.mutex);
      return absl::IsAborted(at.sdk.states.back());
    }));
    at.sdk.provider->TakeBack();
  }
  SECTION("also when the news of it come later") {
    at.sdk.provider->TakeBack();
    at.listen->End(kTakenOver);
  }
  CHECK(at.ListenAgain(kSession + 1).has_open_request());
  CHECK(at.sdk.WaitForRegistrations(2));
}

TEST_CASE("Provider that was retired takes its registration back", "[resume]") {
  ProviderWithChannel at;
  at.sdk.provider->Retire([] { FAIL("called"); });
  CHECK(at.listen->WaitForEnd());
  at.sdk.provider->TakeBack();
  CHECK(at.ListenAgain(kSession + 1).has_open_request());
  at.Open(kChannel + 1);
  at.accept->Send(DataMessage<V1::AcceptResponse>(2, " and on"));
  CHECK(at.probe->WaitForBytes("in and on"));
}

}  // namespace
}  // namespace culvert::test
