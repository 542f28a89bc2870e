// ChannelDriver between the channel and the endpoint: what is delivered, what is sent, both sealed.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/channel_driver.h"

namespace culvert {

using tunnel::Channel;

template <typename Handler>
auto ChannelDriver::Guard(Handler handler) {
  return [alive = std::weak_ptr<ChannelDriver*>(alive_),
          handler = std::move(handler)](auto argument) mutable {
    if (alive.lock() != nullptr) handler(std::move(argument));
  };
}

void ChannelDriver::PumpSecuring() {
  while (phase_ == Phase::kSecuring) {
    std::optional<Channel::Delivery> delivery = channel_.NextDelivery(MonotonicNow());
    if (!delivery) return;
    if (delivery->end) {
      channel_.Abort(ErrorCode::kAltered, "altered on the way: it ended before it was open");
      return;
    }
    channel_.Delivered(MonotonicNow());
    securing_->OnSecuringMessage(std::move(delivery->bytes));
  }
}

void ChannelDriver::PumpDelivery() {
  PumpSecuring();
  if (delivering_ || endpoint_ == nullptr) return;
  std::optional<Channel::Delivery> delivery = channel_.NextDelivery(MonotonicNow());
  if (!delivery) return;
  absl::StatusOr<Bytes> bytes = seal_.Open(std::move(delivery->bytes), delivery->end);
  if (!bytes.ok()) {
    channel_.Abort(ErrorCodeOf(bytes.status()), std::string(MessageOf(bytes.status())));
    return;
  }
  bytes_received_ += bytes->size();
  delivering_ = true;
  delivering_end_ = delivery->end;
  if (bytes->empty()) {
    HandleTaken(absl::OkStatus());
  } else {
    endpoint_->Send(*std::move(bytes),
                    Guard([this](const absl::Status& status) { HandleTaken(status); }));
  }
}

void ChannelDriver::HandleTaken(const absl::Status& status) {
  if (!status.ok() || !delivering_end_) {
    HandleEndTaken(status);
    return;
  }
  if (endpoint_ == nullptr) return;
  endpoint_->SendEnd(Guard([this](const absl::Status& ended) { HandleEndTaken(ended); }));
}

void ChannelDriver::HandleEndTaken(const absl::Status& status) {
  delivering_ = false;
  if (status.ok()) {
    channel_.Delivered(MonotonicNow());
  } else {
    channel_.Abort(ErrorCodeOf(status), std::string(MessageOf(status)));
  }
  Pump();
}

// What one message may carry now.
size_t ChannelDriver::PayloadRoom() const {
  const size_t room = seal_.Room(channel_.SendRoom());
  if (path_ == nullptr || room == 0) return 0;
  // Of what a legacy peer may need again on another path, several messages are kept.
  constexpr size_t kMostLegacy = tunnel::SendWindow::kLegacyKept / 4 - tunnel::kMessageOverhead;
  const size_t most = channel_.legacy() ? kMostLegacy : tunnel::kMaxDataBytes;
  return std::min({most, room, path_->best_payload(), busy_.MostPayload(MonotonicNow())});
}

void ChannelDriver::PumpReading() {
  if (receiving_ || endpoint_ == nullptr || ending_ != Ending::kNo || !residue_.empty()) return;
  const size_t room = PayloadRoom();
  if (room == 0) return;
  if (room != chunk_size_) endpoint_->SetChunkSize(chunk_size_ = room);
  receiving_ = true;
  endpoint_->Recv(Guard([this](absl::StatusOr<Chunk> chunk) { HandleReceived(std::move(chunk)); }));
}

void ChannelDriver::HandleReceived(absl::StatusOr<Chunk> chunk) {
  receiving_ = false;
  if (!chunk.ok()) {
    Abort(chunk.status());
    return;
  }
  residue_ = std::move(chunk->bytes);
  if (chunk->kind == Chunk::Kind::kEndOfStream) ending_ = std::max(ending_, Ending::kSending);
  if (chunk->kind == Chunk::Kind::kClose) ending_ = Ending::kBoth;
  Pump();
}

void ChannelDriver::OnEndpointStop(absl::Status why) {
  if (!why.ok()) {
    Abort(why);
    return;
  }
  ending_ = Ending::kBoth;
  Pump();
}

void ChannelDriver::SendResidue() {
  while (!securing_messages_.empty()) {
    if (channel_.SendRoom() < securing_messages_.front().size()) return;
    channel_.Send(std::move(securing_messages_.front()));
    securing_messages_.pop_front();
  }
  if (const absl::Status sent = SendSealed(); !sent.ok()) {
    channel_.Abort(ErrorCodeOf(sent), std::string(MessageOf(sent)));
  }
}

absl::Status ChannelDriver::SendSealed() {
  while (!residue_.empty()) {
    const size_t size = std::min(PayloadRoom(), residue_.size());
    if (size == 0) return absl::OkStatus();
    CULVERT_ASSIGN_OR_RETURN(Bytes sealed, seal_.Seal(residue_.Slice(0, size)));
    bytes_sent_ += size;
    busy_.OnSent(busy_mark_, size, MonotonicNow());
    channel_.Send(std::move(sealed));
    residue_ = residue_.Slice(size);
  }
  if (ending_ == Ending::kNo || channel_.state() != Channel::State::kOpen) return absl::OkStatus();
  CULVERT_ASSIGN_OR_RETURN(Bytes last, seal_.SealEnd());
  if (ending_ == Ending::kSending) {
    channel_.FinishSending(std::move(last));
  } else {
    channel_.Finish(std::move(last));
  }
  return absl::OkStatus();
}

}  // namespace culvert
