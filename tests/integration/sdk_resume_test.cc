// A consumer whose paths are cut: what it presents to resume, and what comes of the channel.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/sdk_resume_fixture.h"

namespace culvert::test {
namespace {

using Response = PlayedProvider::Response;

grpc::Status Refuse(Stream& stream, ErrorCode code, grpc::StatusCode status,
                    uint32_t retry_after_ms = 0) {
  Response response;
  response.mutable_channel_open_error()->set_code(static_cast<culvert::v1::ErrorCode>(code));
  response.mutable_channel_open_error()->set_message("no");
  response.mutable_channel_open_error()->set_retry_after_ms(retry_after_ms);
  stream.Write(response);
  return {status, "no"};
}

TEST_CASE("Consumer carries every byte whatever message its path is cut at", "[sdk][resume]") {
  const std::string text = Pattern(6000);
  bool was_cut = true;
  // Each length of a path in turn, and the same for the second one, until one is long enough.
  for (int length = 0; was_cut; ++length) {
    PlayedProvider played;
    played.own_window = 2048;
    played.messages_of = [length](uint32_t attempt) { return attempt <= 2 ? length : -1; };
    PlayedBroker broker(Serving(played));
    TestConsumer consumer(broker.address());
    auto outlet = consumer.Connect("echo");
    outlet->Say(text);
    outlet->SayEnd();
    CAPTURE(length);
    REQUIRE(outlet->WaitForBytes(text));
    REQUIRE(outlet->WaitForClose().ok());
    REQUIRE(consumer.WaitForReports(1));
    CHECK(played.Received() == text);
    REQUIRE(length < 500);
    was_cut = !played.Resumes().empty();
    // A path for the last Ack alone comes after the report.
    CHECK(consumer.reports[0].resumes <= played.Resumes().size());
  }
}

TEST_CASE("Consumer does not wait long when a few paths in a row were short",
          "[sdk][resume][slow]") {
  PlayedProvider played;
  played.messages_of = [](uint32_t attempt) { return attempt <= 8 ? 3 : -1; };
  std::vector<MonotonicTime> tries;
  played.refuse = [&](Stream&, const ResumeRequest&) -> std::optional<grpc::Status> {
    tries.push_back(MonotonicNow());
    return std::nullopt;
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(50000));
  REQUIRE(outlet->WaitForBytes(Pattern(50000)));
  REQUIRE(tries.size() == 8);
  CHECK(tries[7] - tries[6] >= std::chrono::milliseconds(250));
  CHECK(tries[7] - tries[6] < std::chrono::milliseconds(1500));
}

TEST_CASE("Consumer presents what its channel was opened with", "[sdk][resume]") {
  PlayedProvider played;
  played.messages_of = [](uint32_t attempt) { return attempt <= 2 ? 3 : -1; };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(20000));
  REQUIRE(outlet->WaitForBytes(Pattern(20000)));
  const std::vector<ResumeRequest> resumes = played.Resumes();
  REQUIRE(resumes.size() == 2);
  CHECK(resumes[0].session_id() == PlayedProvider::kSession);
  CHECK(resumes[0].channel_id() == PlayedProvider::kChannel);
  CHECK(resumes[0].provider_name() == "edge-1");
  CHECK(resumes[0].name() == "a-consumer");
  CHECK(resumes[0].ticket() == "ticket 1");
  CHECK(resumes[0].attempt() == 2);
  CHECK(resumes[0].window() > 0);
  CHECK(resumes[1].ticket() == "ticket 2");  // the fresh one
  CHECK(resumes[1].attempt() == 3);
  CHECK(resumes[1].last_message_id() >= resumes[0].last_message_id());
}

TEST_CASE("Consumer tries again, later where it is told so, until it is resumed", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(4, played);
  std::vector<MonotonicTime> tries;
  played.refuse = [&](Stream& stream, const ResumeRequest&) -> std::optional<grpc::Status> {
    tries.push_back(MonotonicNow());
    if (tries.size() == 1)
      return Refuse(stream, ErrorCode::kOffline, grpc::StatusCode::UNAVAILABLE);
    if (tries.size() == 2) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down");
    if (tries.size() == 3)
      return Refuse(stream, ErrorCode::kBusy, grpc::StatusCode::UNAVAILABLE, 400);
    return std::nullopt;
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  REQUIRE(outlet->WaitForBytes(Pattern(10000)));
  REQUIRE(tries.size() == 4);
  CHECK(tries[3] - tries[2] >= 400ms);
  CHECK(played.Resumes().back().attempt() == 5);
}

TEST_CASE("Consumer resets a channel at a final answer", "[sdk][resume]") {
  const auto [code, status] = GENERATE(
      table<ErrorCode, grpc::StatusCode>({{ErrorCode::kDenied, grpc::StatusCode::PERMISSION_DENIED},
                                          {ErrorCode::kKilled, grpc::StatusCode::PERMISSION_DENIED},
                                          {ErrorCode::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE},
                                          {ErrorCode::kUnknownChannel, grpc::StatusCode::NOT_FOUND},
                                          {ErrorCode::kReset, grpc::StatusCode::OUT_OF_RANGE}}));
  PlayedProvider played;
  const Cut cut(2, played);
  played.refuse = [&, code = code, status = status](Stream& stream, const ResumeRequest&) {
    return std::optional(Refuse(stream, code, status));
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == code);
  REQUIRE(consumer.WaitForReports(1));
  CHECK(played.Resumes().size() == 1);
  CHECK(consumer.reports[0].resumes == 0);
}

// A proxy that is set up wrongly for a minute, or a certificate that is about to be renewed.
TEST_CASE("Consumer takes no status for final that the broker says nothing to", "[sdk][resume]") {
  const auto status = GENERATE(grpc::StatusCode::UNIMPLEMENTED, grpc::StatusCode::PERMISSION_DENIED,
                               grpc::StatusCode::UNAUTHENTICATED, grpc::StatusCode::NOT_FOUND,
                               grpc::StatusCode::INTERNAL);
  CAPTURE(static_cast<int>(status));
  PlayedProvider played;
  const Cut cut(4, played);
  played.refuse = [&](Stream&, const ResumeRequest& resume) -> std::optional<grpc::Status> {
    if (resume.attempt() > 4) return std::nullopt;
    return grpc::Status(status, "Received http2 header with status: 404");
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  REQUIRE(outlet->WaitForBytes(Pattern(10000)));
  CHECK(played.Resumes().back().attempt() == 5);
}

TEST_CASE("Consumer ends a channel that has ended, whatever the status", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(2, played);
  played.refuse = [&](Stream& stream, const ResumeRequest&) {
    return std::optional(Refuse(stream, ErrorCode::kEnded, grpc::StatusCode::UNAVAILABLE));
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kEnded);  // incomplete
  CHECK(played.Resumes().size() == 1);
}

// The other end knows nothing any more of a channel of which only Close was not confirmed.
TEST_CASE("Consumer ends a complete channel in order that nobody knows any more", "[sdk][resume]") {
  const std::string text = Pattern(500);
  std::optional<size_t> resumes_of_complete;
  for (int length = 2; length < 12; ++length) {
    PlayedProvider played;
    const Cut cut(length, played);
    played.refuse = [&](Stream& stream, const ResumeRequest&) {
      return std::optional(Refuse(stream, ErrorCode::kUnknownChannel, grpc::StatusCode::NOT_FOUND));
    };
    PlayedBroker broker(Serving(played));
    TestConsumer consumer(broker.address());
    auto outlet = consumer.Connect("echo");
    outlet->Say(text);
    outlet->SayEnd();
    const bool clean = outlet->WaitForClose().ok();
    REQUIRE(consumer.WaitForReports(1));
    REQUIRE(DrainNow(*consumer.consumer));
    CAPTURE(length, clean);
    CHECK(consumer.reports[0].status.ok() == clean);
    // Never in order without all of it, both ways.
    if (clean) CHECK(outlet->WaitForBytes(text));
    if (clean) CHECK(played.Received() == text);
    if (clean && !resumes_of_complete) resumes_of_complete = played.Resumes().size();
  }
  REQUIRE(resumes_of_complete);
  CHECK(*resumes_of_complete == 1);  // it did ask
}

TEST_CASE("Consumer gives a channel up after the shorter time of both ends", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(2, played);
  played.refuse = [](Stream&, const ResumeRequest&) {
    return std::optional(grpc::Status(grpc::StatusCode::UNAVAILABLE, "not yet"));
  };
  ClientOptions options;
  Duration shorter{0};
  SECTION("the provider's") {
    played.resume_timeout_s = 1;
    shorter = 1s;
  }
  SECTION("its own") {
    options.resume_timeout = 300ms;
    shorter = 300ms;
  }
  SECTION("the provider never resumes") { played.resume_timeout_s = 0; }
  SECTION("it never resumes") { options.resume_timeout = 0s; }
  SECTION("the broker has no ticket to give") { played.ticket.clear(); }
  PlayedBroker broker(Serving(played));
  options.brokers = {broker.address()};
  options.name = "a-consumer";
  options.insecure = true;
  TestConsumer consumer(options);
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  const MonotonicTime began = MonotonicNow();
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kPathLost);
  CHECK(MonotonicNow() - began >= shorter);
  CHECK(played.Resumes().empty() == (shorter == Duration::zero()));
}

TEST_CASE("Consumer tells on the next path that its side was reset meanwhile", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(2, played);
  std::atomic<bool> resumable = false;
  played.refuse = [&](Stream&, const ResumeRequest&) -> std::optional<grpc::Status> {
    if (resumable) return std::nullopt;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not yet");
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  REQUIRE(Eventually([&] { return !played.Resumes().empty(); }));
  outlet->Break(ErrorStatus(ErrorCode::kReset, "connection reset"));
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kReset);
  resumable = true;
  const auto outcome = played.WaitForOutcome();
  REQUIRE(outcome.has_value());
  CHECK(outcome->code == ErrorCode::kReset);
  CHECK(outcome->by_peer);
  CHECK(DrainNow(*consumer.consumer));
}

TEST_CASE("Consumer resumes at the next broker of its list", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(4, played);
  auto first = std::make_unique<PlayedBroker>(Serving(played));
  PlayedBroker second(Serving(played));
  std::atomic<int> at_first = 0;
  played.refuse = [&](Stream&, const ResumeRequest& resume) -> std::optional<grpc::Status> {
    if (resume.attempt() > 2) return std::nullopt;
    ++at_first;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down");
  };
  TestConsumer consumer({first->address(), second.address()});
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  REQUIRE(outlet->WaitForBytes(Pattern(10000)));
  CHECK(at_first == 1);
  first.reset();  // the channel is not there any more
  outlet->Say("and on");
  CHECK(outlet->WaitForBytes(Pattern(10000) + "and on"));
}

// Another broker of the list may not have the key of the ticket.
TEST_CASE("Consumer asks the broker of its ticket before it believes another's refusal",
          "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(4, played);
  played.refuse = [&](Stream&, const ResumeRequest& resume) -> std::optional<grpc::Status> {
    if (resume.attempt() > 2) return std::nullopt;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
  };
  PlayedBroker own(Serving(played));
  PlayedBroker other(PlayedBroker::Connect([&](Stream& stream) {
    PlayedProvider::Request request;
    stream.Read(&request);
    return Refuse(stream, ErrorCode::kDenied, grpc::StatusCode::PERMISSION_DENIED);
  }));
  TestConsumer consumer({own.address(), other.address()});
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  CHECK(outlet->WaitForBytes(Pattern(10000)));
  CHECK(played.Resumes().back().attempt() == 4);
}

TEST_CASE("Consumer remembers who has refused it while another broker cannot be reached",
          "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(4, played);
  std::atomic<int> at_own = 0;
  std::atomic<int> at_other = 0;
  const grpc::Status away(grpc::StatusCode::UNAVAILABLE, "away");
  played.refuse = [&](Stream& stream, const ResumeRequest&) -> std::optional<grpc::Status> {
    if (++at_own > 1) return away;
    return Refuse(stream, ErrorCode::kOffline, grpc::StatusCode::NOT_FOUND);
  };
  PlayedBroker own(Serving(played));
  PlayedBroker other(PlayedBroker::Connect([&](Stream& stream) {
    PlayedProvider::Request request;
    stream.Read(&request);
    if (++at_other < 3) return away;
    return Refuse(stream, ErrorCode::kOffline, grpc::StatusCode::NOT_FOUND);
  }));
  TestConsumer consumer({own.address(), other.address()});
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kOffline);
  CHECK(at_other == 3);
}

TEST_CASE("Consumer takes no answer for another attempt or channel", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(4, played);
  const bool other_channel = GENERATE(false, true);
  played.refuse = [&](Stream& stream, const ResumeRequest& resume) -> std::optional<grpc::Status> {
    if (resume.attempt() > 2) return std::nullopt;
    Response response;
    response.mutable_resume_response()->set_channel_id(PlayedProvider::kChannel + other_channel);
    response.mutable_resume_response()->set_attempt(other_channel ? 2 : 1);
    stream.Write(response);
    PlayedProvider::Request request;
    CHECK_FALSE(stream.Read(&request));  // it leaves
    return grpc::Status::OK;
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  CHECK(outlet->WaitForBytes(Pattern(10000)));
  CHECK(played.Resumes().size() == 2);
}

}  // namespace
}  // namespace culvert::test
