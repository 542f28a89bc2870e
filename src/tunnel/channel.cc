#include "tunnel/channel.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert::tunnel {
namespace {

SendWindow::Peer SendPeer(bool legacy) {
  return legacy ? SendWindow::Peer::kLegacy : SendWindow::Peer::kCapable;
}

ReceiveWindow::Peer ReceivePeer(bool legacy) {
  return legacy ? ReceiveWindow::Peer::kLegacy : ReceiveWindow::Peer::kCapable;
}

uint64_t IdOf(const Message& message) {
  return std::visit([](const auto& any) { return any.id; }, message);
}

}  // namespace

std::string_view StateName(Channel::State state) {
  switch (state) {
    case Channel::State::kOpen:
      return "open";
    case Channel::State::kClosing:
      return "closing";
    case Channel::State::kAborting:
      return "aborting";
    case Channel::State::kEnded:
      return "ended";
  }
  return "unknown";
}

std::string Outcome::ToString() const { return clean ? "closed" : DescribeError(code, message); }

Channel::Channel(const Options& options, MemoryBudget& budget)
    : options_(options),
      legacy_((options.peer_capabilities & kCapExactTcp) == 0),
      budget_(budget),
      send_(SendPeer(legacy_), options.peer_window),
      receive_(ReceivePeer(legacy_), options.own_window) {}

// --- paths ---

absl::Status Channel::Attach(uint32_t attempt, uint64_t peer_last_id,
                             std::optional<uint64_t> peer_window, MonotonicTime) {
  if (state_ == State::kEnded) return absl::FailedPreconditionError("channel has ended");
  if (attempt <= attempt_) {
    return absl::InvalidArgumentError(fmt::format("attempt {} is not after {}", attempt, attempt_));
  }
  Detach();
  if (state_ == State::kEnded) return absl::FailedPreconditionError("channel has ended");
  attempt_ = attempt;
  attached_ = true;
  receive_.OnNewPath();
  round_trip_.Reset();
  absl::Status resumed = absl::OkStatus();
  if (peer_stop_ == PeerStop::kNone) resumed = send_.Resume(peer_last_id, peer_window);
  if (!resumed.ok()) {
    const ErrorCode code =
        absl::IsOutOfRange(resumed) ? ErrorCode::kOutOfRange : ErrorCode::kProtocol;
    Fail(code, std::string(MessageOf(resumed)));
    send_.AbortAfter(peer_last_id, outcome_.code, outcome_.message);
  }
  UpdateBudget();
  return absl::OkStatus();
}

void Channel::Detach() {
  if (!attached_) return;
  attached_ = false;
  if (state_ == State::kClosing && BothDirectionsKnown()) {
    EndClean();
  } else if (state_ == State::kAborting &&
             (peer_stop_ == PeerStop::kError || send_.error_handed())) {
    End();
  }
}

Channel::PathVerdict Channel::OnMessage(uint32_t attempt, Message message, MonotonicTime now) {
  if (!attached_ || attempt != attempt_ || state_ == State::kEnded) return PathVerdict::kOk;
  if (const auto* ack = std::get_if<Ack>(&message)) {
    round_trip_.OnAcked(ack->id, now);
    HandleAck(*ack);
    UpdateBudget();
    return PathVerdict::kOk;
  }
  switch (receive_.Admit(IdOf(message))) {
    case ReceiveWindow::Verdict::kGap:
      return PathVerdict::kBreakPath;
    case ReceiveWindow::Verdict::kDuplicate:
      receive_.AckNow();
      return PathVerdict::kOk;
    case ReceiveWindow::Verdict::kNew:
      break;
  }
  if (const auto* error = std::get_if<Error>(&message)) {
    HandleError(*error);
  } else if (state_ == State::kAborting) {
    receive_.TakeWithoutDelivery();  // only ids matter now
  } else if (auto* data = std::get_if<Data>(&message)) {
    HandleData(std::move(*data), now);
  } else {
    HandleClose();
  }
  UpdateBudget();
  return PathVerdict::kOk;
}

void Channel::HandleData(Data data, MonotonicTime now) {
  if (legacy_ && state_ == State::kClosing) {
    receive_.TakeWithoutDelivery();  // the local side wants no more
    return;
  }
  if (state_ != State::kOpen || peer_end_ != PeerEnd::kOpen) {
    Fail(ErrorCode::kProtocol, fmt::format("data {} after the end of its direction", data.id));
    return;
  }
  if (!receive_.WithinGrant(data)) {
    Fail(ErrorCode::kProtocol,
         fmt::format("data {} of {} bytes exceeds the window", data.id, data.bytes.size()));
    return;
  }
  if (legacy_) data.end_of_stream = false;  // not a field that a legacy peer knows
  if (data.end_of_stream) peer_end_ = PeerEnd::kReceived;
  probe_at_ = now + kProbeTime;
  receive_.Hold(std::move(data), now);
}

void Channel::HandleClose() {
  if (legacy_) {
    peer_stop_ = PeerStop::kClose;
    send_.Drop();
    if (state_ == State::kClosing) {  // it crosses ours: nobody waits for a delivery
      receive_.TakeWithoutDelivery();
      receive_.AckNow();
      return;
    }
    // Ends both directions, in order: delivered like an end of stream, acknowledged once taken.
    peer_end_ = PeerEnd::kReceived;
    receive_.Hold(Data{receive_.last_id(), Bytes(), true, true}, MonotonicTime{});
    return;
  }
  if (end_id_ == 0 || end_id_ > send_.sent_id() || peer_end_ != PeerEnd::kDelivered) {
    Fail(ErrorCode::kProtocol, "close before both directions ended");
    return;
  }
  // The peer saw our end and everything before it, whether or not its Ack came through.
  peer_stop_ = PeerStop::kClose;
  send_.Drop();
  receive_.TakeWithoutDelivery();
  receive_.AckNow();
  SetState(State::kClosing);
}

void Channel::HandleError(const Error& error) {
  peer_stop_ = PeerStop::kError;
  if (state_ != State::kAborting) {
    outcome_ = Outcome{false, error.code, CutErrorText(error.message), true};
    SetState(State::kAborting);
  }
  receive_.Drop();
  send_.Drop();
  receive_.TakeWithoutDelivery();
  receive_.AckNow();
}

void Channel::HandleAck(const Ack& ack) {
  if (peer_stop_ != PeerStop::kNone) return;  // nothing of ours is waiting any more
  if (absl::Status status = send_.OnAck(ack.id, legacy_ ? std::nullopt : ack.window);
      !status.ok()) {
    Fail(ErrorCode::kProtocol, std::string(MessageOf(status)));
    return;
  }
  if (state_ == State::kAborting && send_.all_acked()) {
    End();
  } else if (state_ == State::kClosing && send_.all_acked()) {
    EndClean();
  } else {
    MaybeClose();
  }
}

bool Channel::WantsMessages() const {
  return !legacy_ || (receive_.held() == 0 && !receive_.taking());
}

std::optional<Message> Channel::NextMessage(MonotonicTime now) {
  if (!attached_ || state_ == State::kEnded) return std::nullopt;
  // The peer closes once it has both, so they go together.
  if (send_.NextIsEnd()) receive_.HastenAck();
  if (std::optional<Ack> ack = AcksAllowed() ? receive_.TakeAck(now) : std::nullopt) {
    // The Ack of a Close or Error is the last thing that is sent.
    if (peer_stop_ == PeerStop::kError) {
      End();
    } else if (peer_stop_ == PeerStop::kClose && state_ == State::kClosing) {
      EndClean();
    }
    return Message(*ack);
  }
  if (peer_stop_ != PeerStop::kNone) return std::nullopt;
  if (HoldsLegacyPeer() && now >= probe_at_) {
    probe_at_ = now + kProbeTime;
    return Message(Ack{receive_.acked_id(), std::nullopt});
  }
  if (!send_.HasNext()) return std::nullopt;
  Message message = send_.TakeNext();
  if (auto* data = std::get_if<Data>(&message)) {
    const bool ask = round_trip_.OnSent(data->id, now);
    if (ask && !legacy_) data->ack_required = true;
  }
  UpdateBudget();
  // A legacy peer may never acknowledge its Close or Error.
  if (legacy_ && std::holds_alternative<Close>(message)) EndClean();
  if (legacy_ && std::holds_alternative<Error>(message)) End();
  return message;
}

bool Channel::HoldsLegacyPeer() const {
  return state_ == State::kOpen && peer_stop_ == PeerStop::kNone && !WantsMessages();
}

std::optional<MonotonicTime> Channel::deadline() const {
  if (!attached_ || state_ == State::kEnded || !AcksAllowed()) return std::nullopt;
  const std::optional<MonotonicTime> ack = receive_.ack_deadline();
  if (!HoldsLegacyPeer()) return ack;
  return ack ? std::min(*ack, probe_at_) : probe_at_;
}

// --- state ---

void Channel::EndClean() {
  outcome_ = Outcome{true, ErrorCode::kUnspecified, "", false};
  End();
}

void Channel::End() {
  SetState(State::kEnded);
  attached_ = false;
  receive_.Drop();
  send_.Drop();
  UpdateBudget();
}

void Channel::SetState(State to) {
  if (state_ == to) return;
  CULVERT_CHECK(state_ != State::kEnded);
  CULVERT_LOG(kDebug, "[channel {:x}] {} -> {}", options_.id, StateName(state_), StateName(to));
  state_ = to;
}

void Channel::UpdateBudget() { budget_.SetUsed(send_.held() + receive_.held()); }

}  // namespace culvert::tunnel
