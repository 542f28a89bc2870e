#include "sdk/pending_accept.h"

#include <utility>

#include "rpc/codec.h"

namespace culvert {

PendingAccept::PendingAccept(net::EventLoop& loop, std::unique_ptr<rpc::Stream> stream,
                             const ntt::proxies::v1::AcceptRequest& request, OnDone on_done)
    : stream_(std::move(stream)), timer_(loop), on_done_(std::move(on_done)) {
  stream_->SetDelegate(this);
  stream_->Write(rpc::FrameOf(request));
  stream_->Read();
  timer_.Start(kLimit, [this] { Fail(absl::DeadlineExceededError("broker does not answer")); });
}

void PendingAccept::OnMessage(Bytes message) {
  ntt::proxies::v1::AcceptResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    Fail(absl::DataLossError("message from the broker does not parse"));
  } else if (response.has_accepted()) {
    timer_.Cancel();
    std::exchange(on_done_, nullptr)(std::move(stream_));
  } else if (response.has_notice()) {
    stream_->Read();
  } else {
    Fail(absl::DataLossError("broker says something before it has joined the halves"));
  }
}

void PendingAccept::OnEnd(absl::Status status) {
  Fail(status.ok() ? absl::UnavailableError("broker ended the stream") : std::move(status));
}

void PendingAccept::Fail(absl::Status why) {
  timer_.Cancel();
  stream_.reset();
  std::exchange(on_done_, nullptr)(std::move(why));
}

}  // namespace culvert
