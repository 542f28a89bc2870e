#include "sdk/stream_endpoint.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert {
namespace {

// Whatever happens to a local stream, the other end sees it as a reset.
absl::Status AsReset(const absl::Status& why) {
  return why.ok() ? why : ErrorStatus(ErrorCode::kReset, std::string(MessageOf(why)));
}

}  // namespace

StreamEndpoint::StreamEndpoint(std::unique_ptr<net::ByteStream> stream,
                               absl::AnyInvocable<void(absl::Status)> on_broken)
    : stream_(std::move(stream)),
      on_broken_(std::move(on_broken)),
      peer_name_(stream_->PeerName()) {
  stream_->SetDelegate(this);
  stream_->SetResetOnClose(true);
}

StreamEndpoint::~StreamEndpoint() = default;

void StreamEndpoint::Send(Bytes bytes, Endpoint::TakenCallback taken) {
  if (stream_ == nullptr) return;
  stream_->Write(std::move(bytes), [taken = std::move(taken)](const absl::Status& status) mutable {
    std::move(taken)(AsReset(status));
  });
}

void StreamEndpoint::SendEnd(Endpoint::TakenCallback taken) {
  if (stream_ == nullptr) return;
  stream_->FinishWriting([taken = std::move(taken)](const absl::Status& status) mutable {
    std::move(taken)(AsReset(status));
  });
}

void StreamEndpoint::Recv(Endpoint::ReceivedCallback received) {
  received_ = std::move(received);
  if (stream_ != nullptr) stream_->SetReading(true);
}

void StreamEndpoint::SetChunkSize(size_t bytes) {
  if (stream_ != nullptr) stream_->SetReadSize(std::min(bytes, net::ByteStream::kMostReadSize));
}

void StreamEndpoint::OnBytes(Bytes bytes) {
  stream_->SetReading(false);
  Answer(Chunk::Data(std::move(bytes)));
}

void StreamEndpoint::OnEnd() { Answer(Chunk::EndOfStream()); }

void StreamEndpoint::OnBroken(absl::Status why) {
  if (received_) {
    Answer(AsReset(why));
  } else if (on_broken_) {
    std::exchange(on_broken_, nullptr)(AsReset(why));
  }
}

void StreamEndpoint::Answer(absl::StatusOr<Chunk> chunk) {
  if (received_) std::exchange(received_, nullptr)(std::move(chunk));
}

void StreamEndpoint::Close(const absl::Status& why) {
  if (stream_ == nullptr) return;
  if (why.ok()) stream_->SetResetOnClose(false);
  stream_.reset();
}

}  // namespace culvert
