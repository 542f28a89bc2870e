#include "rpc/stream_path.h"

#include <utility>

#include "base/status.h"

namespace culvert::rpc {

StreamPath::StreamPath(std::unique_ptr<Stream> stream, EnvelopeType out, EnvelopeType in,
                       tunnel::Path::Delegate& delegate)
    : stream_(std::move(stream)), out_(out), in_(in), delegate_(delegate) {
  stream_->SetDelegate(this);
}

StreamPath::~StreamPath() = default;

bool StreamPath::ready() const { return stream_->pending_writes() == 0; }

void StreamPath::Send(const tunnel::Message& message) {
  stream_->Write(EncodeMessage(out_, message));
}

void StreamPath::SetReading(bool on) {
  reading_ = on;
  if (on) stream_->Read();
}

void StreamPath::Finish() { stream_->Finish(absl::OkStatus()); }

void StreamPath::OnMessage(Bytes message) {
  absl::StatusOr<Envelope> envelope = ParseEnvelope(in_, message);
  if (!envelope.ok()) {
    delegate_.OnPathEnd(Annotate(envelope.status(), "message from the broker"));
    return;
  }
  if (reading_) stream_->Read();
  if (envelope->kind == Kind::kPing || envelope->kind == Kind::kPong) return;
  if (envelope->kind == Kind::kControl) {
    if (control_ != nullptr) control_->OnControlMessage(envelope->body);
    return;
  }
  absl::StatusOr<tunnel::Message> decoded = DecodeMessage(envelope->kind, envelope->body);
  if (!decoded.ok()) {
    delegate_.OnPathEnd(Annotate(decoded.status(), "message from the broker"));
    return;
  }
  delegate_.OnPathMessage(*std::move(decoded));
}

void StreamPath::OnWritten() { delegate_.OnPathReady(); }

void StreamPath::OnEnd(absl::Status status) { delegate_.OnPathEnd(std::move(status)); }

}  // namespace culvert::rpc
