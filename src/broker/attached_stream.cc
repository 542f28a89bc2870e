#include "broker/attached_stream.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "tunnel/error_code.h"

namespace culvert::broker {
namespace {

using culvert::v1::AttachResponse;

// What the status says of itself counts more than what is made of it: most of those without a code
// of their own are worth another try.
tunnel::ErrorCode CodeOf(const absl::Status& status) {
  const tunnel::ErrorCode code = ErrorCodeOf(status);
  // Of a broker that is about to stop: what a Connect stream ends with says better what to do.
  if (code == tunnel::ErrorCode::kShutdown) return tunnel::ErrorCode::kNoPath;
  if (code != ErrorCodeOf(absl::Status(status.code(), ""))) return code;
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
      return tunnel::ErrorCode::kDenied;
    // The certificate of the Attach stream is too old by now: another connection has another.
    case absl::StatusCode::kUnauthenticated:
      return tunnel::ErrorCode::kNoPath;
    case absl::StatusCode::kNotFound:
      return tunnel::ErrorCode::kUnknownProvider;
    case absl::StatusCode::kInvalidArgument:
      return tunnel::ErrorCode::kProtocol;
    case absl::StatusCode::kOutOfRange:
      return tunnel::ErrorCode::kOutOfRange;
    default:
      return tunnel::ErrorCode::kBusy;
  }
}

}  // namespace

AttachedStream::AttachedStream(net::EventLoop& loop, Line& line, uint64_t parked_id, Bytes opening)
    : line_(&line),
      parked_id_(parked_id),
      opening_(std::move(opening)),
      tell_(loop, [this] { Tell(); }) {}

AttachedStream::~AttachedStream() { Finish(absl::UnavailableError("refused")); }

void AttachedStream::SetDelegate(rpc::Stream::Delegate* delegate) {
  delegate_ = delegate;
  if (lost_) tell_.Schedule();
}

void AttachedStream::Read() {
  reading_ = true;
  tell_.Schedule();
}

void AttachedStream::Tell() {
  if (delegate_ == nullptr) return;
  if (opening_ && reading_) {
    reading_ = false;
    if (lost_) tell_.Schedule();
    delegate_->OnMessage(*std::exchange(opening_, std::nullopt));
  } else if (std::exchange(lost_, false)) {
    delegate_->OnEnd(absl::CancelledError("the Attach stream is gone"));
  }
}

void AttachedStream::Write(rpc::Frame frame) {
  ntt::proxies::v1::ConnectResponse response;
  frame.head.append(frame.body.view());
  CULVERT_CHECK(response.ParseFromString(frame.head));
  AttachResponse answer;
  if (response.has_open_response()) {
    answer.mutable_opened()->set_parked_id(parked_id_);
    answer.mutable_opened()->mutable_response()->Swap(response.mutable_open_response());
  } else if (response.has_resume_response()) {
    answer.mutable_resumed()->set_parked_id(parked_id_);
    answer.mutable_resumed()->mutable_response()->Swap(response.mutable_resume_response());
  } else if (response.has_channel_open_error()) {
    answer.mutable_open_error()->set_parked_id(parked_id_);
    answer.mutable_open_error()->mutable_error()->Swap(response.mutable_channel_open_error());
  } else {
    return;
  }
  Answer(answer);
}

void AttachedStream::Finish(absl::Status status) {
  delegate_ = nullptr;
  if (line_ == nullptr) return;
  AttachResponse answer;
  answer.mutable_open_error()->set_parked_id(parked_id_);
  auto& error = *answer.mutable_open_error()->mutable_error();
  // In order and without an answer: there is none for a stitched path.
  error.set_code(static_cast<culvert::v1::ErrorCode>(status.ok() ? tunnel::ErrorCode::kNoPath
                                                                 : CodeOf(status)));
  error.set_message(std::string(MessageOf(status)));
  Answer(answer);
}

void AttachedStream::Answer(const AttachResponse& answer) {
  Line* const line = std::exchange(line_, nullptr);
  if (line == nullptr) return;
  line->SendAnswer(answer);
  line->Forget(*this);
}

void AttachedStream::HandleLost() {
  line_ = nullptr;
  lost_ = true;
  tell_.Schedule();
}

}  // namespace culvert::broker
