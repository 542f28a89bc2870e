#include "sdk/channel_seal.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert {
namespace {

using crypto::TlsRecords;

absl::Status Altered(std::string_view how) {
  return ErrorStatus(ErrorCode::kAltered, fmt::format("altered on the way: {}", how));
}

absl::Status WithCode(const absl::Status& status, ErrorCode otherwise) {
  const ErrorCode code = absl::IsResourceExhausted(status) ? ErrorCode::kLimit : otherwise;
  return ErrorStatus(code, std::string(MessageOf(status)));
}

}  // namespace

size_t ChannelSeal::Room(size_t room) const {
  if (records_ == nullptr) return room;
  const size_t overhead = (room / TlsRecords::kMostPlaintext + 1) * TlsRecords::kMostOverhead;
  return room > overhead ? room - overhead : 0;
}

absl::StatusOr<Bytes> ChannelSeal::Seal(Bytes bytes) {
  if (records_ == nullptr) return bytes;
  absl::StatusOr<Bytes> sealed = records_->Seal(bytes.view());
  if (!sealed.ok()) return WithCode(sealed.status(), ErrorCode::kInternal);
  return sealed;
}

absl::StatusOr<Bytes> ChannelSeal::SealEnd() {
  // One end is sealed, also where first one direction and then both are ended.
  if (records_ == nullptr || std::exchange(sending_, Sending::kEnded) == Sending::kEnded) {
    return Bytes();
  }
  absl::StatusOr<Bytes> sealed = records_->SealCloseNotify();
  if (!sealed.ok()) return WithCode(sealed.status(), ErrorCode::kInternal);
  return sealed;
}

absl::StatusOr<Bytes> ChannelSeal::Open(Bytes message, bool end) {
  if (records_ == nullptr) return message;
  absl::StatusOr<crypto::OpenedMessage> opened = records_->Open(message.view());
  if (!opened.ok()) return WithCode(opened.status(), ErrorCode::kAltered);
  const bool closed = opened->alert && opened->alert->is_close_notify();
  if (opened->alert && !closed) return Altered("an alert in the middle");
  if (closed && !end) return Altered("an end that is not marked as one");
  if (!closed && end) return Altered("an end that the other end has not sealed");
  return std::move(opened->data);
}

}  // namespace culvert
