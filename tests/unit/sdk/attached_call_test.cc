#include "sdk/attached_call.h"

#include <utility>
#include <vector>

#include "culvert/error_code.h"
#include "rpc/codec.h"
#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using culvert::v1::AttachRequest;
using culvert::v1::AttachResponse;
using ntt::proxies::v1::ConnectRequest;
using ntt::proxies::v1::ConnectResponse;

constexpr uint64_t kParked = 77;

struct Line final : AttachedCall::Line {
  void SendOpening(const AttachRequest& request, AttachedCall&) override {
    sent.push_back(request);
  }
  void Forget(AttachedCall&) override { ++forgotten; }

  std::vector<AttachRequest> sent;
  int forgotten = 0;
};

struct AnswerLog final : rpc::Stream::Delegate {
  void OnMessage(Bytes message) override {
    ConnectResponse response;
    CHECK(response.ParseFromArray(message.data(), static_cast<int>(message.size())));
    messages.push_back(response);
    if (on_message) on_message();
  }
  void OnWritten() override {}
  void OnPeerFinished() override {}
  void OnEnd(absl::Status status) override { ends.push_back(std::move(status)); }

  std::vector<ConnectResponse> messages;
  std::vector<absl::Status> ends;
  std::function<void()> on_message;
};

AttachResponse Opened(uint64_t channel_id) {
  AttachResponse response;
  response.mutable_opened()->set_parked_id(kParked);
  response.mutable_opened()->mutable_response()->set_channel_id(channel_id);
  return response;
}

AttachResponse Refused(culvert::v1::ErrorCode code) {
  AttachResponse response;
  response.mutable_open_error()->set_parked_id(kParked);
  response.mutable_open_error()->mutable_error()->set_code(code);
  response.mutable_open_error()->mutable_error()->set_message("words");
  return response;
}

struct CallFixture {
  net::EventLoop loop;
  Line line;
  AnswerLog told;
  std::unique_ptr<AttachedCall> call =
      std::make_unique<AttachedCall>(loop, static_cast<AttachedCall::Line&>(line), kParked);

  CallFixture() { call->SetDelegate(&told); }
  void Ask() {
    ConnectRequest request;
    request.mutable_open_request()->set_service("tcp");
    call->Write(rpc::FrameOf(request));
    call->Read();
  }
  void Settle() {
    loop.RunUntil([] { return false; }, 5ms);
  }
};

TEST_CASE_METHOD(CallFixture, "AttachedCall sends what a Connect stream would open with",
                 "[attached]") {
  ConnectRequest request;
  SECTION("an opening") {
    request.mutable_open_request()->set_service("tcp");
    call->Write(rpc::FrameOf(request));
    REQUIRE(line.sent.size() == 1);
    CHECK(line.sent[0].open().service() == "tcp");
    CHECK(line.sent[0].open().parked_id() == kParked);
  }
  SECTION("a resume") {
    request.mutable_resume_request()->set_attempt(4);
    call->Write(rpc::FrameOf(request));
    REQUIRE(line.sent.size() == 1);
    CHECK(line.sent[0].resume().attempt() == 4);
    CHECK(line.sent[0].resume().parked_id() == kParked);
  }
}

TEST_CASE_METHOD(CallFixture,
                 "AttachedCall tells the answer once, when it is read, never inside a call",
                 "[attached]") {
  Ask();
  call->HandleAnswer(Opened(5));
  CHECK(told.messages.empty());
  CHECK(line.forgotten == 1);
  Settle();
  REQUIRE(told.messages.size() == 1);
  CHECK(told.messages[0].open_response().channel_id() == 5);
  call->Read();
  call->HandleAnswer(Opened(6));
  Settle();
  CHECK(told.messages.size() == 1);
  CHECK(told.ends.empty());
}

TEST_CASE_METHOD(CallFixture, "AttachedCall keeps an answer that is not read yet", "[attached]") {
  ConnectRequest request;
  request.mutable_resume_request();
  call->Write(rpc::FrameOf(request));
  AttachResponse resumed;
  resumed.mutable_resumed()->mutable_response()->set_attempt(2);
  call->HandleAnswer(resumed);
  Settle();
  CHECK(told.messages.empty());
  call->Read();
  Settle();
  REQUIRE(told.messages.size() == 1);
  CHECK(told.messages[0].resume_response().attempt() == 2);
}

TEST_CASE_METHOD(CallFixture, "AttachedCall that is refused ends as a Connect stream would",
                 "[attached]") {
  const auto [code, status] = GENERATE(table<culvert::v1::ErrorCode, absl::StatusCode>({
      {culvert::v1::ERROR_CODE_NO_PATH, absl::StatusCode::kUnavailable},
      {culvert::v1::ERROR_CODE_BUSY, absl::StatusCode::kUnavailable},
      {culvert::v1::ERROR_CODE_DENIED, absl::StatusCode::kPermissionDenied},
      {culvert::v1::ERROR_CODE_KILLED, absl::StatusCode::kPermissionDenied},
      {culvert::v1::ERROR_CODE_REVOKED, absl::StatusCode::kPermissionDenied},
      {culvert::v1::ERROR_CODE_OUT_OF_RANGE, absl::StatusCode::kOutOfRange},
      {culvert::v1::ERROR_CODE_ENDED, absl::StatusCode::kOutOfRange},
      {culvert::v1::ERROR_CODE_UNKNOWN_PROVIDER, absl::StatusCode::kNotFound},
      {static_cast<culvert::v1::ErrorCode>(9999), absl::StatusCode::kUnavailable},
  }));
  CAPTURE(code);
  Ask();
  call->HandleAnswer(Refused(code));
  Settle();
  REQUIRE(told.messages.size() == 1);
  CHECK(told.messages[0].channel_open_error().code() == code);
  REQUIRE(told.ends.size() == 1);
  CHECK(told.ends[0].code() == status);
  CHECK(told.ends[0].message() == "words");
}

TEST_CASE_METHOD(CallFixture, "AttachedCall ends with its line as one to be tried again",
                 "[attached]") {
  SECTION("without an answer") {
    Ask();
    call->HandleLost(absl::AbortedError("the control stream is gone"));
    CHECK(told.ends.empty());
    Settle();
    REQUIRE(told.ends.size() == 1);
    CHECK(absl::IsUnavailable(told.ends[0]));
  }
  SECTION("before it has asked") {
    call->HandleLost(absl::UnavailableError("the control stream is gone"));
    Ask();
    Settle();
    CHECK(line.sent.empty());
    CHECK(told.ends.size() == 1);
  }
  SECTION("but not with an answer") {
    Ask();
    call->HandleAnswer(Opened(5));
    call->HandleLost(absl::UnavailableError("the control stream is gone"));
    Settle();
    CHECK(told.messages.size() == 1);
    CHECK(told.ends.empty());
  }
  CHECK(line.forgotten <= 1);
}

TEST_CASE_METHOD(CallFixture, "AttachedCall that is finished or destroyed hears no more",
                 "[attached]") {
  Ask();
  SECTION("finished") {
    call->Finish(absl::CancelledError("x"));
    call->HandleAnswer(Opened(5));
    CHECK(line.forgotten == 1);
  }
  SECTION("finished with an answer that was to be told") {
    call->HandleAnswer(Opened(5));
    call->Finish(absl::CancelledError("x"));
  }
  SECTION("destroyed with an answer that was to be told") {
    call->HandleAnswer(Refused(culvert::v1::ERROR_CODE_BUSY));
    call.reset();
  }
  SECTION("destroyed") {
    call.reset();
    CHECK(line.forgotten == 1);
  }
  Settle();
  CHECK(told.messages.empty());
  CHECK(told.ends.empty());
}

TEST_CASE_METHOD(CallFixture, "AttachedCall may be destroyed by its answer", "[attached]") {
  told.on_message = [this] { call.reset(); };
  Ask();
  call->HandleAnswer(Refused(culvert::v1::ERROR_CODE_NO_PATH));
  Settle();
  CHECK(told.messages.size() == 1);
  CHECK(told.ends.empty());
}

}  // namespace
}  // namespace culvert
