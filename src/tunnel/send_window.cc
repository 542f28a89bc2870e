#include "tunnel/send_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace culvert::tunnel {
namespace {

size_t PayloadOf(const Message& message) {
  const auto* data = std::get_if<Data>(&message);
  return data == nullptr ? 0 : data->bytes.size();
}

}  // namespace

SendWindow::SendWindow(Peer peer, uint64_t initial_grant) : peer_(peer), limit_(initial_grant) {}

size_t SendWindow::Room(uint64_t share) const {
  if (aborted_) return 0;
  if (peer_ == Peer::kLegacy) {
    if (HasNext()) return 0;
    const uint64_t fits = share > kMessageOverhead ? share - kMessageOverhead : 0;
    return std::clamp<uint64_t>(fits, kEmptyWindowRoom, kMaxDataBytes);
  }
  const uint64_t limit = std::min(limit_, acked_ + share);
  const uint64_t granted = limit > tail_ + kMessageOverhead ? limit - tail_ - kMessageOverhead : 0;
  const uint64_t room = entries_.empty() ? std::max(granted, kEmptyWindowRoom) : granted;
  return std::min<uint64_t>(room, kMaxDataBytes);
}

void SendWindow::Append(Bytes bytes, bool end_of_stream, uint64_t share) {
  CULVERT_CHECK(!aborted_ && bytes.size() <= kMaxDataBytes);
  Data data{next_id_, std::move(bytes), /*ack_required=*/false, end_of_stream};
  const uint64_t cost = CostOf(data);
  kept_ = std::min(kLegacyKept, share);
  if (peer_ == Peer::kLegacy && tail_ + cost - ack_asked_at_ >= kept_ / 4) {
    data.ack_required = true;
    ack_asked_at_ = tail_ + cost;
  }
  Push(std::move(data), cost);
}

void SendWindow::AppendClose() { Push(Close{next_id_}, 0); }

void SendWindow::Abort(ErrorCode code, std::string text) {
  CULVERT_CHECK(!aborted_);
  aborted_ = true;
  TruncateAfter(handed_);
  if (peer_ == Peer::kLegacy) {  // knows no code: the words have to do
    if (text.empty()) text = ErrorCodeText(code);
    code = ErrorCode::kUnspecified;
  }
  Push(Error{next_id_, CutErrorText(std::move(text)), code}, 0);
}

void SendWindow::AbortAfter(uint64_t last_id, ErrorCode code, std::string text) {
  Drop();
  next_id_ = last_id + 1;
  sent_id_ = last_id;
  aborted_ = false;
  Abort(code, std::move(text));
}

void SendWindow::Drop() {
  while (!entries_.empty()) DropFront();
  aborted_ = true;
}

void SendWindow::Push(Message message, uint64_t cost) {
  held_bytes_ += PayloadOf(message);
  tail_ += cost;
  ++next_id_;
  entries_.push_back({std::move(message), tail_});
}

void SendWindow::TruncateAfter(size_t kept) {
  while (entries_.size() > kept) {
    held_bytes_ -= PayloadOf(entries_.back().message);
    entries_.pop_back();
    --next_id_;
  }
  tail_ = entries_.empty() ? acked_ : entries_.back().end;
  sent_id_ = std::min(sent_id_, last_id());
}

bool SendWindow::NextIsEnd() const {
  const auto* data = HasNext() ? std::get_if<Data>(&entries_[handed_].message) : nullptr;
  return data != nullptr && data->end_of_stream;
}

Message SendWindow::TakeNext() {
  CULVERT_CHECK(HasNext());
  Message message = entries_[handed_++].message;
  sent_id_ = std::max(sent_id_, acked_id() + handed_);
  if (peer_ == Peer::kLegacy) DropOldestLegacy();
  return message;
}

void SendWindow::DropFront() {
  held_bytes_ -= PayloadOf(entries_.front().message);
  acked_ = entries_.front().end;
  entries_.pop_front();
  if (handed_ > 0) --handed_;
}

void SendWindow::DropOldestLegacy() {
  while (handed_ > 1 && held() > kept_) DropFront();
}

absl::Status SendWindow::OnAck(uint64_t id, std::optional<uint64_t> window) {
  if (id > sent_id_) {
    return absl::InvalidArgumentError(fmt::format("ack for id {}, last sent is {}", id, sent_id_));
  }
  // An ack for what this path has not carried yet answers an earlier path; it is as good.
  while (acked_id() < id) DropFront();
  if (id == acked_id()) RaiseLimit(acked_, window);
  return absl::OkStatus();
}

absl::Status SendWindow::Resume(uint64_t last_id, std::optional<uint64_t> window) {
  if (last_id < acked_id()) {
    return absl::OutOfRangeError(fmt::format(
        "messages after id {} are no longer kept (first kept is {})", last_id, acked_id() + 1));
  }
  if (last_id > sent_id_) {
    return absl::InvalidArgumentError(
        fmt::format("peer claims id {}, last sent is {}", last_id, sent_id_));
  }
  const size_t received = last_id - acked_id();
  RaiseLimit(received == 0 ? acked_ : entries_[received - 1].end, window);
  handed_ = received;
  if (aborted_ && HasNext()) {
    // An Error overtakes what the peer has not received: it takes the first free id.
    Message error = std::move(entries_.back().message);
    TruncateAfter(handed_);
    std::get<Error>(error).id = next_id_;
    Push(std::move(error), 0);
  }
  return absl::OkStatus();
}

void SendWindow::RaiseLimit(uint64_t base, std::optional<uint64_t> window) {
  // Grants are never revoked: one that is smaller than what was granted before leaves the limit.
  if (window) limit_ = std::max(limit_, base + std::min<uint64_t>(*window, uint64_t{1} << 40));
}

}  // namespace culvert::tunnel
