#include "broker/heard_stream.h"

#include <utility>

namespace culvert::broker {

HeardStream::HeardStream(net::EventLoop& loop, Departures& departures, const std::string& endpoint,
                         std::unique_ptr<rpc::Stream> stream)
    : loop_(loop),
      departures_(departures),
      endpoint_(departures.Enter(endpoint, loop.Now())),
      stream_(std::move(stream)) {}

HeardStream::~HeardStream() { Leave(); }

void HeardStream::SetDelegate(rpc::Stream::Delegate* delegate) {
  delegate_ = delegate;
  stream_->SetDelegate(delegate != nullptr ? this : nullptr);
}

void HeardStream::Finish(absl::Status status) {
  Leave();
  stream_->Finish(std::move(status));
}

void HeardStream::OnMessage(Bytes message) {
  if (endpoint_ != nullptr) endpoint_->Heard(loop_.Now());
  delegate_->OnMessage(std::move(message));  // may destroy us, as the other two may
}

void HeardStream::OnPeerFinished() {
  Leave();
  delegate_->OnPeerFinished();
}

void HeardStream::OnEnd(absl::Status status) {
  Leave();
  delegate_->OnEnd(std::move(status));
}

void HeardStream::Leave() {
  if (const auto endpoint = std::exchange(endpoint_, nullptr)) {
    departures_.Leave(endpoint, loop_.Now());
  }
}

}  // namespace culvert::broker
