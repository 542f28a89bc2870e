// Channel's local side: what is sent, what is delivered, and how the two directions end.
#include <utility>

#include "base/check.h"
#include "tunnel/channel.h"

namespace culvert::tunnel {

size_t Channel::SendRoom() const {
  if (state_ != State::kOpen || !attached_ || finishing_ != Finishing::kNo) return 0;
  return send_.Room(budget_.Share());
}

void Channel::Send(Bytes bytes) {
  if (bytes.empty()) return;
  CULVERT_CHECK(bytes.size() <= SendRoom());
  bytes_sent_ += bytes.size();
  send_.Append(std::move(bytes), /*end_of_stream=*/false, budget_.Share());
  UpdateBudget();
}

void Channel::FinishSending(Bytes last) {
  CULVERT_CHECK(last.size() <= kMaxFreeEndBytes);
  if (state_ != State::kOpen || finishing_ != Finishing::kNo) return;
  finishing_ = Finishing::kSending;
  if (legacy_) return;
  send_.Append(std::move(last), /*end_of_stream=*/true, budget_.Share());
  end_id_ = send_.last_id();
  UpdateBudget();
}

void Channel::Finish(Bytes last) {
  if (state_ != State::kOpen || finishing_ == Finishing::kBoth) return;
  FinishSending(std::move(last));
  finishing_ = Finishing::kBoth;
  if (legacy_ && peer_stop_ == PeerStop::kNone) {
    receive_.Drop();
    send_.AppendClose();
    SetState(State::kClosing);
    UpdateBudget();
  }
}

std::optional<Channel::Delivery> Channel::NextDelivery(MonotonicTime now) {
  while (state_ == State::kOpen && receive_.HasNext()) {
    const Data& data = receive_.BeginTaking(now);
    if (finishing_ == Finishing::kBoth || (data.bytes.empty() && !data.end_of_stream)) {
      TakeSilently(now);
      continue;
    }
    bytes_delivered_ += data.bytes.size();
    return Delivery{data.bytes, data.end_of_stream};
  }
  return std::nullopt;
}

void Channel::TakeSilently(MonotonicTime now) { Delivered(now); }

void Channel::Delivered(MonotonicTime now) {
  if (state_ != State::kOpen || !receive_.taking()) return;
  receive_.Taken(now, budget_.Share(), budget_.MayGrow());
  if (peer_end_ == PeerEnd::kReceived && !receive_.HasNext()) {
    peer_end_ = PeerEnd::kDelivered;
    // The Ack of its end goes with our own end, which often follows; the peer closes on both.
    if (end_id_ != 0) receive_.HastenAck();
  }
  AfterTaken();
  UpdateBudget();
}

void Channel::AfterTaken() {
  if (legacy_ && peer_stop_ == PeerStop::kClose && peer_end_ == PeerEnd::kDelivered) {
    SetState(State::kClosing);   // its Ack is due and is the end
    if (!attached_) EndClean();  // the peer left after its Close
    return;
  }
  MaybeClose();
}

bool Channel::OwnDirectionDone() const { return end_id_ != 0 && send_.acked_id() >= end_id_; }

// Whether both ends know that a closing channel is complete, so that a lost path changes nothing.
// An Ack of the peer's end that only the path was handed does not tell it: the peer would wait.
bool Channel::BothDirectionsKnown() const { return peer_stop_ == PeerStop::kClose; }

void Channel::MaybeClose() {
  if (state_ != State::kOpen || legacy_) return;
  if (!OwnDirectionDone() || peer_end_ != PeerEnd::kDelivered) return;
  receive_.ForgetAck();  // Close says as much
  send_.AppendClose();
  SetState(State::kClosing);
}

void Channel::Abort(ErrorCode code, std::string message, std::optional<std::string> told) {
  if (state_ == State::kOpen) Fail(code, std::move(message), std::move(told));
}

// An abort that also ends a closing channel: the peer broke the protocol.
void Channel::Fail(ErrorCode code, std::string message, std::optional<std::string> told) {
  if (state_ != State::kOpen && state_ != State::kClosing) return;
  outcome_ = Outcome{false, code, message, false};
  SetState(State::kAborting);
  receive_.Drop();
  if (peer_stop_ == PeerStop::kNone) {
    send_.Abort(code, told ? *std::move(told) : std::move(message));
  } else {
    End();  // the peer has closed: it listens to nothing any more
  }
  UpdateBudget();
}

void Channel::GiveUp(ErrorCode code, std::string message) {
  if (state_ == State::kEnded) return;
  if (state_ == State::kClosing && !legacy_) {
    EndClean();
    return;
  }
  if (state_ == State::kOpen && peer_stop_ == PeerStop::kClose) return;
  if (state_ != State::kAborting) outcome_ = Outcome{false, code, std::move(message), false};
  End();
}

void Channel::OnPeerEnded(ErrorCode code, uint64_t last_id) {
  if (state_ == State::kEnded) return;
  const bool complete = code == ErrorCode::kEnded && end_id_ != 0 && last_id >= end_id_ &&
                        peer_end_ == PeerEnd::kDelivered;
  // A capable peer that acknowledged our end has everything. A legacy one has what it says.
  const bool closing = state_ == State::kClosing && (!legacy_ || code == ErrorCode::kEnded);
  if (complete || closing) {
    EndClean();
    return;
  }
  if (state_ != State::kAborting) outcome_ = Outcome{false, code, "the other end has ended", true};
  End();
}

}  // namespace culvert::tunnel
