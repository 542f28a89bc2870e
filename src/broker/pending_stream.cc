#include "broker/pending_stream.h"

#include <utility>

namespace culvert::broker {

PendingStream::PendingStream(net::EventLoop& loop, rpc::StreamInfo info,
                             std::unique_ptr<rpc::Stream> stream, SlotCounter::Slot opening_slot,
                             OnDone on_done)
    : info_(std::move(info)),
      stream_(std::move(stream)),
      opening_slot_(std::move(opening_slot)),
      on_done_(std::move(on_done)),
      timer_(loop) {
  asked_.address = info_.endpoint();
  stream_->SetDelegate(this);
  stream_->Read();
  timer_.Start(kFirstMessageTime,
               [this] { GiveUp(absl::DeadlineExceededError("no first message in 10 s")); });
}

PendingStream::~PendingStream() = default;

void PendingStream::OnMessage(Bytes message) {
  timer_.Cancel();
  stream_->SetDelegate(nullptr);
  on_done_(*this, std::move(message));
}

void PendingStream::OnPeerFinished() {
  GiveUp(absl::InvalidArgumentError("stream ended without a message"));
}

void PendingStream::OnEnd(absl::Status status) { GiveUp(status); }

void PendingStream::GiveUp(const absl::Status& why) {
  timer_.Cancel();
  stream_->SetDelegate(nullptr);
  stream_->Finish(why);
  on_done_(*this, std::nullopt);
}

}  // namespace culvert::broker
