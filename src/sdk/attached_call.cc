#include "sdk/attached_call.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert {
namespace {

// What a Connect stream ends with when the broker says this.
absl::Status StatusOf(const ntt::proxies::v1::ConnectResponse::ChannelOpenError& error) {
  const std::string& words = error.message();
  switch (ErrorCodeFromNumber(static_cast<uint32_t>(error.code()))) {
    case ErrorCode::kOutOfRange:
    case ErrorCode::kEnded:
      return absl::OutOfRangeError(words);
    case ErrorCode::kDenied:
    case ErrorCode::kKilled:
    case ErrorCode::kRevoked:
    case ErrorCode::kExpired:
      return absl::PermissionDeniedError(words);
    case ErrorCode::kUnknownProvider:
    case ErrorCode::kUnknownChannel:
      return absl::NotFoundError(words);
    default:
      return absl::UnavailableError(words);
  }
}

Bytes Serialized(const ntt::proxies::v1::ConnectResponse& response) {
  return Bytes::Copy(response.SerializeAsString());
}

}  // namespace

AttachedCall::AttachedCall(net::EventLoop& loop, Line& line, uint64_t parked_id)
    : line_(&line), parked_id_(parked_id), tell_(loop, [this] { Tell(); }) {}

AttachedCall::~AttachedCall() { Leave(); }

void AttachedCall::Leave() {
  if (Line* const line = std::exchange(line_, nullptr)) line->Forget(*this);
}

void AttachedCall::Read() {
  reading_ = true;
  tell_.Schedule();
}

void AttachedCall::Write(rpc::Frame frame) {
  ntt::proxies::v1::ConnectRequest opening;
  frame.head.append(frame.body.view());
  CULVERT_CHECK(opening.ParseFromString(frame.head));
  if (line_ == nullptr) return;  // lost already: the end is to be told
  culvert::v1::AttachRequest request;
  if (opening.has_open_request()) {
    request.mutable_open()->Swap(opening.mutable_open_request());
    request.mutable_open()->set_parked_id(parked_id_);
  } else {
    request.mutable_resume()->Swap(opening.mutable_resume_request());
    request.mutable_resume()->set_parked_id(parked_id_);
  }
  line_->SendOpening(request, *this);
}

void AttachedCall::Finish(absl::Status) {
  Leave();
  state_ = State::kOver;
}

void AttachedCall::HandleAnswer(const culvert::v1::AttachResponse& response) {
  if (state_ != State::kAsking) return;
  state_ = State::kAnswered;
  if (response.has_opened()) {
    *answer_.mutable_open_response() = response.opened().response();
  } else if (response.has_resumed()) {
    *answer_.mutable_resume_response() = response.resumed().response();
  } else {
    state_ = State::kRefused;
    *answer_.mutable_channel_open_error() = response.open_error().error();
    end_ = StatusOf(answer_.channel_open_error());
  }
  Leave();
  tell_.Schedule();
}

void AttachedCall::HandleLost(const absl::Status& why) {
  line_ = nullptr;
  if (state_ != State::kAsking) return;
  state_ = State::kOver;
  end_ = absl::IsUnavailable(why) ? why : absl::UnavailableError(std::string(MessageOf(why)));
  tell_.Schedule();
}

void AttachedCall::Tell() {
  if (delegate_ == nullptr) return;
  if ((state_ == State::kAnswered || state_ == State::kRefused) && reading_) {
    reading_ = false;
    state_ = State::kOver;
    if (end_) tell_.Schedule();
    delegate_->OnMessage(Serialized(answer_));
  } else if (state_ == State::kOver && end_) {
    delegate_->OnEnd(*std::exchange(end_, std::nullopt));
  }
}

}  // namespace culvert
