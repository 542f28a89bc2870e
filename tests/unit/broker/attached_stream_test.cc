#include "broker/attached_stream.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "culvert/error_code.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"
#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using culvert::v1::AttachResponse;
using ntt::proxies::v1::ConnectRequest;
using ntt::proxies::v1::ConnectResponse;

constexpr uint64_t kParked = 77;

struct Line final : AttachedStream::Line {
  void SendAnswer(const AttachResponse& answer) override {
    answers.push_back(answer);
    if (on_answer) on_answer();
  }
  void Forget(AttachedStream&) override { ++forgotten; }

  std::vector<AttachResponse> answers;
  int forgotten = 0;
  std::function<void()> on_answer;
};

struct Told final : rpc::Stream::Delegate {
  void OnMessage(Bytes message) override {
    messages.push_back(std::string(message.view()));
    if (on_message) on_message();
  }
  void OnWritten() override {}
  void OnPeerFinished() override {}
  void OnEnd(absl::Status status) override { ends.push_back(std::move(status)); }

  std::vector<std::string> messages;
  std::vector<absl::Status> ends;
  std::function<void()> on_message;
};

std::string Opening() {
  ConnectRequest request;
  request.mutable_open_request()->set_service("tcp");
  request.mutable_open_request()->set_parked_id(kParked);
  return request.SerializeAsString();
}

struct AttachedFixture {
  net::EventLoop loop;
  Line line;
  Told told;
  std::unique_ptr<AttachedStream> stream = std::make_unique<AttachedStream>(
      loop, static_cast<AttachedStream::Line&>(line), kParked, Bytes::Copy(Opening()));

  AttachedFixture() { stream->SetDelegate(&told); }
  void Settle() {
    loop.RunUntil([] { return false; }, 5ms);
  }
};

TEST_CASE_METHOD(AttachedFixture, "AttachedStream gives the opening out once, in a turn of its own",
                 "[attached]") {
  Settle();
  CHECK(told.messages.empty());
  stream->Read();
  CHECK(told.messages.empty());
  Settle();
  CHECK(told.messages == std::vector{Opening()});
  stream->Read();
  Settle();
  CHECK(told.messages.size() == 1);
  CHECK(told.ends.empty());
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream answers with what a Connect stream would carry",
                 "[attached]") {
  ConnectResponse response;
  SECTION("opened") {
    response.mutable_open_response()->set_channel_id(5);
    stream->Write(rpc::FrameOf(response));
    REQUIRE(line.answers.size() == 1);
    CHECK(line.answers[0].opened().parked_id() == kParked);
    CHECK(line.answers[0].opened().response().channel_id() == 5);
  }
  SECTION("resumed") {
    response.mutable_resume_response()->set_attempt(3);
    stream->Write(rpc::FrameOf(response));
    REQUIRE(line.answers.size() == 1);
    CHECK(line.answers[0].resumed().parked_id() == kParked);
    CHECK(line.answers[0].resumed().response().attempt() == 3);
  }
  SECTION("refused") {
    response.mutable_channel_open_error()->set_message("no");
    stream->Write(rpc::FrameOf(response));
    REQUIRE(line.answers.size() == 1);
    CHECK(line.answers[0].open_error().parked_id() == kParked);
    CHECK(line.answers[0].open_error().error().message() == "no");
  }
  CHECK(line.forgotten == 1);
  // One answer there is, whatever follows.
  stream->Write(rpc::FrameOf(response));
  stream->Finish(absl::PermissionDeniedError("denied"));
  CHECK(line.answers.size() == 1);
  CHECK(line.forgotten == 1);
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream keeps notices for the Attach stream",
                 "[attached]") {
  ConnectResponse response;
  response.mutable_notice()->mutable_drain();
  stream->Write(rpc::FrameOf(response));
  CHECK(line.answers.empty());
  CHECK(line.forgotten == 0);
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream that is finished without an answer says no",
                 "[attached]") {
  const auto [status, code] = GENERATE(table<absl::Status, ErrorCode>({
      {absl::PermissionDeniedError("x"), ErrorCode::kDenied},
      {absl::UnauthenticatedError("x"), ErrorCode::kNoPath},
      {absl::NotFoundError("x"), ErrorCode::kUnknownProvider},
      {absl::InvalidArgumentError("x"), ErrorCode::kProtocol},
      {absl::OutOfRangeError("x"), ErrorCode::kOutOfRange},
      {absl::ResourceExhaustedError("x"), ErrorCode::kBusy},
      {absl::UnavailableError("x"), ErrorCode::kBusy},
      {ErrorStatus(ErrorCode::kNoPath, "x"), ErrorCode::kNoPath},
      {ErrorStatus(ErrorCode::kShutdown, "x"), ErrorCode::kNoPath},
      {ErrorStatus(ErrorCode::kKilled, "x"), ErrorCode::kKilled},
  }));
  CAPTURE(status);
  stream->Finish(status);
  REQUIRE(line.answers.size() == 1);
  const auto& error = line.answers[0].open_error();
  CHECK(error.parked_id() == kParked);
  CHECK(ErrorCodeFromNumber(static_cast<uint32_t>(error.error().code())) == code);
  CHECK(error.error().message() == "x");
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream whose line is lost is a consumer that went away",
                 "[attached]") {
  SECTION("before the opening was read") { stream->HandleLost(); }
  SECTION("while it is to be read") {
    stream->Read();
    stream->HandleLost();
  }
  SECTION("after it was") {
    stream->Read();
    Settle();
    stream->HandleLost();
  }
  CHECK(told.ends.empty());
  Settle();
  REQUIRE(told.ends.size() == 1);
  CHECK(absl::IsCancelled(told.ends[0]));
  // Its line is nobody any more.
  stream->Finish(absl::PermissionDeniedError("denied"));
  stream.reset();
  CHECK(line.answers.empty());
  CHECK(line.forgotten == 0);
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream tells the loss to a delegate that comes later",
                 "[attached]") {
  stream->SetDelegate(nullptr);
  stream->HandleLost();
  Settle();
  Told later;
  stream->SetDelegate(&later);
  Settle();
  CHECK(later.ends.size() == 1);
  CHECK(told.ends.empty());
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream may lose its line by its own answer",
                 "[attached]") {
  line.on_answer = [this] { stream->HandleLost(); };
  ConnectResponse response;
  response.mutable_open_response();
  stream->Write(rpc::FrameOf(response));
  Settle();
  CHECK(line.answers.size() == 1);
  CHECK(told.ends.size() == 1);
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream may be destroyed by what it gives out",
                 "[attached]") {
  told.on_message = [this] { stream.reset(); };
  stream->Read();
  Settle();
  CHECK(told.messages.size() == 1);
  CHECK(line.forgotten == 1);
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream that is destroyed tells nobody", "[attached]") {
  stream->Read();
  stream.reset();
  CHECK(line.forgotten == 1);
  Settle();
  CHECK(told.messages.empty());
  CHECK(told.ends.empty());
}

TEST_CASE_METHOD(AttachedFixture, "AttachedStream holds what counts it until it goes",
                 "[attached]") {
  auto counted = std::make_shared<int>(1);
  std::weak_ptr<int> held = counted;
  stream->HoldUntilDone(std::exchange(counted, nullptr));
  stream->Finish(absl::UnavailableError("x"));
  CHECK(!held.expired());
  stream.reset();
  CHECK(held.expired());
}

}  // namespace
}  // namespace culvert::broker
