// A Provider's channels that have lost their path, and the next one.
#include "tests/integration/provider_resume_fixture.h"

namespace culvert::test {
namespace {

// What the provider answers on Listen.
auto NextRefusal(ScriptedBroker::Listen& listen) {
  const V1::ListenRequest request = listen.Next();
  REQUIRE(request.has_channel_open_error());
  return request.channel_open_error();
}

TEST_CASE("Provider goes on with a channel over another path", "[resume]") {
  ProviderWithChannel at;
  at.accept->End(kLost);
  at.probe->Say("while there is none");
  V1::AcceptRequest request;
  auto accept = at.ResumeChannel(2, 0, &request);  // the consumer has not received "out"
  const auto& resume = request.resume_request();
  CHECK(resume.session_id() == kSession);
  CHECK(resume.channel_id() == kChannel);
  CHECK(resume.last_message_id() == 1);
  CHECK(resume.attempt() == 2);
  CHECK(resume.window() > 0);
  CHECK(resume.resume_timeout_s() == kResumeSeconds);
  CHECK(resume.name() == "edge-1");
  CHECK(at.NextData(*accept) == "out");
  CHECK(at.NextData(*accept) == "while there is none");
  accept->Send(DataMessage<V1::AcceptResponse>(1, "in"));
  accept->Send(DataMessage<V1::AcceptResponse>(2, " and more"));
  CHECK(at.probe->WaitForBytes("in and more"));
  CHECK_FALSE(at.probe->closed);
}

TEST_CASE("Provider leaves the path that it has for one of a higher attempt", "[resume]") {
  ProviderWithChannel at;
  at.listen->Send(Resume(kChannel, 3, 1));
  CHECK(at.accept->WaitForEnd());
  auto third = at.broker->NextAccept();
  CHECK(third->Next().resume_request().attempt() == 3);

  // Even before that one is there.
  at.listen->Send(Resume(kChannel, 4, 1));
  CHECK(third->WaitForEnd());
  auto fourth = at.broker->NextAccept();
  CHECK(fourth->Next().resume_request().attempt() == 4);
  fourth->Send(Accepted());
  fourth->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(at.probe->WaitForBytes("in on"));
}

TEST_CASE("Provider ignores a resume of an attempt that is not higher", "[resume]") {
  ProviderWithChannel at;
  const uint32_t attempt = GENERATE(0u, 1u);
  at.listen->Send(Resume(kChannel, attempt, 1));
  at.Open(kChannel + 1);  // so that it has been read
  CHECK_FALSE(at.broker->HasAccept());
  at.accept->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(at.probe->WaitForBytes("in on"));
}

TEST_CASE("Provider answers an attempt again whose Accept was lost", "[resume]") {
  ProviderWithChannel at;
  at.accept->End(kLost);
  at.listen->Send(Resume(kChannel, 2, 1));
  auto lost = at.broker->NextAccept();
  const V1::AcceptRequest first = lost->Next();
  SECTION("together with the registration") {
    lost->End(kLost);
    at.listen->End(kLost);
    at.ListenAgain(kSession);
  }
  SECTION("alone") {
    lost->End({grpc::StatusCode::NOT_FOUND, "nobody waits"});
    // So that it has been read.
    at.listen->Send(Resume(kChannel, 1, 1));
    at.Open(kChannel + 1);
  }
  V1::AcceptRequest request;
  auto accept = at.ResumeChannel(2, 1, &request);
  CHECK(request.SerializeAsString() == first.SerializeAsString());

  // Once it has the path it does not.
  accept->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(at.probe->WaitForBytes("in on"));
  at.listen->Send(Resume(kChannel, 2, 1));
  at.Open(kChannel + 2);
  CHECK_FALSE(at.broker->HasAccept());
  accept->Send(DataMessage<V1::AcceptResponse>(3, " and on"));
  CHECK(at.probe->WaitForBytes("in on and on"));
}

TEST_CASE("Provider does not answer an attempt again whose Accept is under way", "[resume]") {
  ProviderWithChannel at;
  at.accept->End(kLost);
  at.listen->Send(Resume(kChannel, 2, 1));
  auto accept = at.broker->NextAccept();
  accept->Next();
  at.listen->Send(Resume(kChannel, 2, 1));
  at.Open(kChannel + 1);
  CHECK_FALSE(at.broker->HasAccept());
  accept->Send(Accepted());
  accept->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(at.probe->WaitForBytes("in on"));
}

TEST_CASE("Provider does not resume a channel for another consumer", "[resume]") {
  ProviderWithChannel at;
  auto resume = Resume(kChannel, 2, 1);
  auto& consumer = *resume.mutable_resume_channel_response()->mutable_consumer();
  SECTION("of another name") { consumer.set_spiffe_id("spiffe://culvert/project/p/user/eve"); }
  SECTION("of another key") { consumer.set_key_thumbprint("another"); }
  at.listen->Send(resume);
  CHECK(NextRefusal(*at.listen).code() == culvert::v1::ERROR_CODE_DENIED);
  // It changes nothing for the one who has it.
  at.accept->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(at.probe->WaitForBytes("in on"));
}

TEST_CASE("Provider says what it remembers of a channel that is asked for again", "[resume]") {
  ProviderWithChannel at;
  SECTION("nothing") {
    at.listen->Send(Resume(kChannel + 1, 2, 0));
    const auto refusal = NextRefusal(*at.listen);
    CHECK(refusal.channel_id() == kChannel + 1);
    CHECK(refusal.code() == culvert::v1::ERROR_CODE_UNKNOWN_CHANNEL);
  }
  SECTION("that it ended in order") {
    auto last = DataMessage<V1::AcceptResponse>(2, "");
    last.mutable_data()->set_end_of_stream(true);
    at.accept->Send(last);
    at.probe->SayEnd();
    V1::AcceptResponse ack;
    ack.mutable_ack()->set_id(2);
    while (!at.accept->Next().data().end_of_stream()) {
    }
    at.accept->Send(ack);
    at.accept->Send(CloseMessage<V1::AcceptResponse>(3));
    CHECK(at.accept->WaitForEnd());
    REQUIRE(at.sdk.WaitForReports(1));
    at.accept->End(grpc::Status::OK);
    at.listen->Send(Resume(kChannel, 2, 1));
    const auto refusal = NextRefusal(*at.listen);
    CHECK(refusal.code() == culvert::v1::ERROR_CODE_ENDED);
    CHECK(refusal.last_message_id() == 3);
  }
  SECTION("that it was aborted") {
    V1::AcceptResponse error;
    error.mutable_error()->set_id(2);
    // BUSY would be heard as "try again".
    error.mutable_error()->set_code(
        GENERATE(culvert::v1::ERROR_CODE_RESET, culvert::v1::ERROR_CODE_BUSY));
    at.accept->Send(error);
    REQUIRE(at.sdk.WaitForReports(1));
    at.accept->End(grpc::Status::OK);
    at.listen->Send(Resume(kChannel, 2, 1));
    CHECK(NextRefusal(*at.listen).code() == culvert::v1::ERROR_CODE_RESET);
  }
}

TEST_CASE("Provider does not resume what it keeps no more of", "[resume]") {
  ProviderWithChannel at;
  V1::AcceptResponse ack;
  ack.mutable_ack()->set_id(1);
  at.accept->Send(ack);
  at.accept->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  REQUIRE(at.probe->WaitForBytes("in on"));
  at.listen->Send(Resume(kChannel, 2, 0));
  CHECK(NextRefusal(*at.listen).code() == culvert::v1::ERROR_CODE_OUT_OF_RANGE);
  CHECK(ErrorCodeOf(at.probe->WaitForClose()) == ErrorCode::kOutOfRange);
}

TEST_CASE("Provider waits for the next attempt when the broker refuses its Accept", "[resume]") {
  ProviderWithChannel at;
  at.accept->End(kLost);
  at.listen->Send(Resume(kChannel, 2, 1));
  auto accept = at.broker->NextAccept();
  accept->Next();
  SECTION("with a status") { accept->End({grpc::StatusCode::NOT_FOUND, "nobody waits"}); }
  SECTION("as if it were none") { accept->Send(DataMessage<V1::AcceptResponse>(2, "too early")); }
  at.ResumeChannel(3, 1)->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(at.probe->WaitForBytes("in on"));
}

TEST_CASE("Provider gives a channel up when nobody waits for its first Accept", "[resume]") {
  ProviderAt at;
  at.listen->Send(Offer(kChannel));
  auto accept = at.broker->NextAccept();
  accept->Next();
  accept->End({grpc::StatusCode::NOT_FOUND, "no such channel is waiting to be accepted"});
  CHECK(ErrorCodeOf(at.sdk.Service(0)->WaitForClose()) == ErrorCode::kPathLost);
}

TEST_CASE("Provider resets a channel that is not resumed in time", "[resume][slow]") {
  ProviderWithChannel at(std::chrono::milliseconds(200));
  at.accept->End(kLost);
  const absl::Status why = at.probe->WaitForClose();
  CHECK(ErrorCodeOf(why) == ErrorCode::kPathLost);
  REQUIRE(at.sdk.WaitForReports(1));
  at.listen->Send(Resume(kChannel, 2, 1));
  CHECK(NextRefusal(*at.listen).code() == culvert::v1::ERROR_CODE_PATH_LOST);
}

TEST_CASE("Provider waits for a path as long as the end that waits for less", "[resume][slow]") {
  ProviderAt at;
  auto accept = at.Open(kChannel, kCapable, GENERATE(0u, 1u));
  accept->End(kLost);
  CHECK(ErrorCodeOf(at.sdk.Service(0)->WaitForClose()) == ErrorCode::kPathLost);
}

TEST_CASE("Provider does not wait for a path when it was told so", "[resume]") {
  ProviderWithChannel at(std::chrono::nanoseconds::zero());
  at.accept->End(kLost);
  CHECK(ErrorCodeOf(at.probe->WaitForClose()) == ErrorCode::kPathLost);
}

TEST_CASE("Provider resets a channel that the broker cuts", "[resume]") {
  ProviderWithChannel at;
  SECTION("while it waits for a path") {
    at.accept->End(kLost);
    at.listen->End(kLost);
    at.ListenAgain(kSession);
  }
  SECTION("while it has one") {}
  at.listen->Send(CutNotice(kChannel, culvert::v1::ERROR_CODE_KILLED));
  const absl::Status why = at.probe->WaitForClose();
  CHECK(ErrorCodeOf(why) == ErrorCode::kKilled);
  CHECK(MessageOf(why) == "by the test");
  REQUIRE(at.sdk.WaitForReports(1));
  at.listen->Send(Resume(kChannel, 2, 1));
  CHECK(NextRefusal(*at.listen).code() == culvert::v1::ERROR_CODE_KILLED);
}

TEST_CASE("Provider waits for a legacy consumer too", "[resume]") {
  ProviderAt at;
  auto accept = at.Open(kChannel, kLegacy, 0);
  auto probe = at.sdk.Service(0);
  accept->Send(DataMessage<V1::AcceptResponse>(1, "in"));
  REQUIRE(probe->WaitForBytes("in"));
  accept->End(kLost);
  V1::AcceptRequest request;
  at.ResumeChannel(2, 0, &request)->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(request.resume_request().last_message_id() == 1);
  CHECK(probe->WaitForBytes("in on"));
}

TEST_CASE("Provider that drains waits for the paths of its channels", "[resume]") {
  ProviderWithChannel at;
  at.accept->End(kLost);
  at.listen->End(kLost);
  at.ListenAgain(kSession);
  auto drained = std::make_shared<std::promise<void>>();
  auto done = drained->get_future();
  at.sdk.provider->Drain([drained] { drained->set_value(); });
  at.listen->Send(Offer(kChannel + 1));
  CHECK(NextRefusal(*at.listen).code() == culvert::v1::ERROR_CODE_SHUTDOWN);

  auto accept = at.ResumeChannel(2, 1);
  CHECK(at.listen->WaitForEnd());
  at.listen->End(grpc::Status::OK);
  SECTION("and gets one") {}
  SECTION("and registers for them again") {
    accept->End(kLost);
    CHECK(at.ListenAgain(kSession).resume_request().session_id() == kSession);
    accept = at.ResumeChannel(3, 1);
    CHECK(at.listen->WaitForEnd());
    at.listen->End(grpc::Status::OK);
  }
  accept->Send(DataMessage<V1::AcceptResponse>(2, " on"));
  CHECK(at.probe->WaitForBytes("in on"));
  V1::AcceptResponse error;
  error.mutable_error()->set_id(3);
  accept->Send(error);
  CHECK(accept->WaitForEnd());
  accept->End(grpc::Status::OK);
  CHECK(done.wait_for(10s) == std::future_status::ready);
}

}  // namespace
}  // namespace culvert::test
