#include "sdk/unary_call.h"

#include <utility>

namespace culvert {

UnaryCall::UnaryCall(net::EventLoop& loop, rpc::Connection& connection, rpc::Method method,
                     rpc::Frame request, Duration limit, OnAnswer on_answer)
    : stream_(connection.Start(method)), timer_(loop), on_answer_(std::move(on_answer)) {
  stream_->SetDelegate(this);
  stream_->Write(std::move(request));
  stream_->Finish(absl::OkStatus());
  stream_->Read();
  timer_.Start(limit, [this] { Finish(absl::DeadlineExceededError("broker does not answer")); });
}

UnaryCall::~UnaryCall() = default;

void UnaryCall::OnMessage(Bytes message) {
  answer_ = std::move(message);
  peer_address_ = stream_->PeerAddress();
  stream_->Read();
}

void UnaryCall::OnEnd(absl::Status status) {
  if (!status.ok()) {
    Finish(status);
  } else if (answer_) {
    Finish(*std::move(answer_));
  } else {
    Finish(absl::InternalError("broker ended the call without an answer"));
  }
}

void UnaryCall::Finish(absl::StatusOr<Bytes> answer) {
  timer_.Cancel();
  stream_.reset();
  std::exchange(on_answer_, nullptr)(std::move(answer));
}

}  // namespace culvert
