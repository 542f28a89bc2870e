// How a Connection answers, and ends.
#include <algorithm>
#include <utility>

#include "web/connection.h"

namespace culvert::web {
namespace {

constexpr size_t kAnswerPiece = size_t{64} * 1024;

}  // namespace

void Connection::SendAnswer(HttpAnswer answer) {
  if (state_ == State::kAnswering) Complete(WriteAnswer(std::move(answer), form_));
}

void Connection::BeginLines() {
  if (state_ != State::kAnswering) return;
  HttpAnswer answer;
  answer.type = "application/x-ndjson";
  form_.keep_alive = form_.keep_alive && form_.is_1_1;
  stream_->Write(Bytes(WriteChunkedHead(answer, form_)), [](const absl::Status&) {});
}

// In pieces, as the last of an answer.
void Connection::SendLine(const std::string& line, net::ByteStream::Completion done) {
  if (state_ != State::kAnswering) return;
  const Bytes all(WriteChunk(line, form_));
  ++lines_under_way_;
  AwaitReader();
  size_t start = 0;
  for (; all.size() - start > kAnswerPiece; start += kAnswerPiece) {
    stream_->Write(all.Slice(start, kAnswerPiece), [this](const absl::Status& status) {
      if (status.ok() && state_ == State::kAnswering) AwaitReader();
    });
  }
  stream_->Write(all.Slice(start, kAnswerPiece),
                 [this, done = std::move(done)](const absl::Status& status) mutable {
                   if (status.ok()) HandleLineTaken();
                   std::move(done)(status);
                 });
}

// Between lines the reader has nothing to take.
void Connection::HandleLineTaken() {
  --lines_under_way_;
  if (state_ != State::kAnswering) return;
  if (lines_under_way_ > 0 || answer_deadline_) {
    AwaitReader();
  } else {
    timer_.Cancel();
  }
}

void Connection::EndLines() {
  if (state_ == State::kAnswering) Complete(WriteLastChunk(form_));
}

// In pieces, so that a client that reads slowly has its time for each, and no more than one is
// sealed at a time.
void Connection::Complete(std::string text) {
  answer_ = Bytes(std::move(text));
  answered_ = 0;
  answer_deadline_ = shared_.loop.Now() + times_.answer;
  SendPiece();
}

void Connection::SendPiece() {
  AwaitReader();
  const Bytes piece = answer_.Slice(answered_, kAnswerPiece);
  answered_ += piece.size();
  stream_->Write(piece, [this](const absl::Status& status) {
    if (!status.ok() || state_ != State::kAnswering) return;
    if (answered_ < answer_.size()) {
      SendPiece();
    } else {
      HandleAnswered();
    }
  });
}

void Connection::AwaitReader() {
  Duration limit = times_.linger;
  if (answer_deadline_) {
    limit = std::clamp(*answer_deadline_ - shared_.loop.Now(), Duration::zero(), limit);
  }
  timer_.Start(limit, [this] { End(); });
}

void Connection::HandleAnswered() {
  http_call_.reset();
  answer_ = {};
  answer_deadline_.reset();
  const bool is_last = peer_has_ended_ && !reader_.has_begun();
  if (!form_.keep_alive || is_last || shared_.is_draining) {
    Close();
    return;
  }
  state_ = State::kIdle;
  timer_.Start(times_.idle, [this] { Close(); });
  stream_->SetReading(true);
  if (!reader_.has_begun()) return;
  AwaitHead();
  Advance();
  if (peer_has_ended_ && is_reading()) Close();  // the rest of it does not come
}

void Connection::RefuseAndClose(const HttpAnswer& answer) {
  form_.keep_alive = false;
  stream_->Write(Bytes(WriteAnswer(answer, form_)), [](const absl::Status&) {});
  Close();
}

// What the client sends meanwhile is read and dropped: closing over it would reset the connection
// before it has read its answer.
void Connection::Close() {
  state_ = State::kClosing;
  share_.reset();
  reader_.Drop();
  timer_.Start(times_.linger, [this] { End(); });
  stream_->FinishWriting([this](const absl::Status&) {
    if (peer_has_ended_) End();
  });
  stream_->SetReading(true);
}

}  // namespace culvert::web
