#include "broker/relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

using rpc::EnvelopeType;
using rpc::Kind;

// Of what is no data this much goes past the bytes a second, as acknowledgements have to.
constexpr size_t kSmallMessage = 256;

std::string_view StateName(Relay::State state) {
  switch (state) {
    case Relay::State::kWaiting:
      return "waiting";
    case Relay::State::kOpening:
      return "opening";
    case Relay::State::kRelaying:
      return "relaying";
    case Relay::State::kEnding:
      return "ending";
    case Relay::State::kEnded:
      return "ended";
  }
  return "unknown";
}

}  // namespace

absl::Status PathLost() { return ErrorStatus(ErrorCode::kPathLost, "path lost"); }

Relay::Relay(net::EventLoop& loop, uint64_t channel_id, OpenChannel open,
             std::optional<Resumption> resume, std::string peer,
             std::unique_ptr<rpc::Stream> consumer, SlotCounter::Slot opening,
             Quotas::Channel counted, Duration opening_time, Owner& owner)
    : loop_(loop),
      id_(channel_id),
      open_(std::move(open)),
      resume_(std::move(resume)),
      peer_(std::move(peer)),
      consumer_endpoint_(peer_),
      consumer_(*this, EnvelopeType::kConnectRequest, EnvelopeType::kConnectResponse),
      provider_(*this, EnvelopeType::kAcceptRequest, EnvelopeType::kAcceptResponse),
      opening_(std::move(opening)),
      counted_(std::move(counted)),
      owner_(owner),
      timer_(loop),
      started_(loop.Now()),
      earlier_{.since = started_},
      opening_deadline_(started_ + opening_time) {
  if (resume_) {
    session_id_ = resume_->session_id;
    accepted_by_ = resume_->provider;
  }
  consumer_.stream = std::move(consumer);
  consumer_.stream->SetDelegate(&consumer_);
}

Relay::~Relay() = default;

void Relay::WaitForProvider(Duration limit, SlotCounter::Slot held) {
  held_ = std::move(held);
  SetState(State::kWaiting);
  timer_.Start(std::min(limit, opening_deadline_ - loop_.Now()),
               [this] { owner_.OnRelayTimeout(*this); });
}

void Relay::OfferedTo(uint64_t session_id, uint64_t channel_id, Duration limit) {
  held_ = SlotCounter::Slot();
  session_id_ = session_id;
  id_ = channel_id;
  SetState(State::kOpening);
  timer_.Start(std::min(limit, opening_deadline_ - loop_.Now()),
               [this] { owner_.OnRelayTimeout(*this); });
}

void Relay::Cut(const absl::Status& status) {
  if (state_ == State::kEnded) return;
  said_error_ = absl::OkStatus();
  End(status, status, status);
}

std::unique_ptr<DataPlane::Pair> Relay::CutButPair(const absl::Status& status) {
  if (state_ == State::kEnded) return nullptr;
  said_error_ = absl::OkStatus();
  EndButPair(status, status, status);
  if (pair_ != nullptr) pair_->Forget();
  return std::move(pair_);
}

void Relay::KeepOver(const std::string& endpoint) {
  const bool accepted = state_ == State::kRelaying || state_ == State::kEnding;
  if (!accepted || provider_peer_ == endpoint) return;
  if (is_stitched()) {
    provider_peer_ = endpoint;
  } else {
    HandleLost(provider_);
  }
}

void Relay::HandleMessage(Half& from, const Bytes& message) {
  absl::StatusOr<rpc::Envelope> envelope = rpc::ParseEnvelope(from.in, message);
  if (envelope.ok() && envelope->kind == Kind::kControl) {
    envelope = absl::InvalidArgumentError("only channel messages may follow the opening");
  }
  if (!envelope.ok()) {
    const absl::Status& why = envelope.status();
    End(why, &from == &consumer_ ? why : PathLost(), &from == &provider_ ? why : PathLost());
    return;
  }
  if (envelope->kind == Kind::kPing) {
    from.pong_in_flight = true;
    from.stream->Write(rpc::MakeEnvelope(from.out, Kind::kPong, Bytes()));
    return;
  }
  const bool limited = counted_.rate() != nullptr && counted_.rate()->is_limited();
  if (limited && (envelope->kind == Kind::kData || envelope->body.size() > kSmallMessage)) {
    Hold(from, *std::move(envelope));
  } else {
    PassOn(from, *envelope);
  }
}

// Nothing is read of the half meanwhile, so that its client has to wait.
void Relay::Hold(Half& from, rpc::Envelope message) {
  from.held = Half::Held{std::move(message)};
  PassOnHeld(from);
}

// A turn at a time: who has large messages gets no more than who has small ones.
void Relay::PassOnHeld(Half& from) {
  net::ByteRate& rate = *counted_.rate();
  Half::Held& held = *from.held;
  const MonotonicTime now = MonotonicNow();
  for (;;) {
    if (const Duration wait = rate.WaitFor(held.place, now); wait > Duration::zero()) {
      if (!from.held_timer) from.held_timer.emplace(loop_);
      from.held_timer->Start(wait, [this, &from] { PassOnHeld(from); });
      return;
    }
    // All of it: bytes may be where nobody looks, too.
    const uint64_t left = held.message.body.size() - held.claimed;
    if (left == 0) break;
    const uint64_t turn = std::min<uint64_t>(left, rate.turn());
    held.place = rate.Claim(turn, now);
    held.claimed += turn;
  }
  PassOn(from, std::exchange(from.held, std::nullopt)->message);
}

void Relay::PassOn(Half& from, const rpc::Envelope& envelope) {
  Half& to = Other(from);
  if (envelope.kind == Kind::kData) from.bytes += rpc::PayloadSize(envelope.body);
  if (envelope.kind == Kind::kClose || envelope.kind == Kind::kError) from.said_end = true;
  if (envelope.kind == Kind::kError) NoteError(from, envelope.body);
  to.stream->Write(rpc::MakeEnvelope(to.out, envelope.kind, envelope.body));
}

// For the records only: it is passed on as it is.
void Relay::NoteError(const Half& from, const Bytes& body) {
  if (!said_error_.ok()) return;
  const absl::StatusOr<tunnel::Message> message = rpc::DecodeMessage(Kind::kError, body);
  if (!message.ok()) return;
  const auto& error = std::get<tunnel::Error>(*message);
  said_error_ = ErrorStatus(
      error.code, fmt::format("{} says: {}", &from == &consumer_ ? "the user" : "the agent",
                              tunnel::CutErrorText(error.message)));
}

// What `half` was given is out: whoever wrote it may send the next message.
void Relay::HandleWritten(Half& half) {
  if (state_ != State::kRelaying && state_ != State::kEnding) return;
  half.pong_in_flight = false;
  MaybeRead(half);
  MaybeRead(Other(half));
}

void Relay::MaybeRead(Half& half) {
  if (half.pong_in_flight || half.held) return;
  if (Other(half).stream->pending_writes() == 0) half.stream->Read();
}

void Relay::HandlePeerFinished(Half& half) {
  if (state_ != State::kRelaying && state_ != State::kEnding) return;
  half.peer_finished = true;
  Half& other = Other(half);
  const auto end_in_order = [this] { End(absl::OkStatus(), absl::OkStatus(), absl::OkStatus()); };
  if (other.peer_finished) {
    end_in_order();
    return;
  }
  if (half.said_end || other.said_end) {
    SetState(State::kEnding);
    timer_.Start(kEndingTime, end_in_order);
    return;
  }
  // It left without Close. A legacy peer means a reset by that; one of ours never does it.
  if (OpenedCapable(half)) {
    lost_ = LostOf(half);
    EndLeft(half, PathLost());
    return;
  }
  // A cancelled stream and a broken connection begin like this too: then HandleLost follows.
  timer_.Start(kLostTime, [this, &half] {
    EndLeft(half, absl::AbortedError("the other end left without close"));
  });
}

void Relay::EndLeft(const Half& left, const absl::Status& why) {
  End(why, &left == &consumer_ ? absl::OkStatus() : why,
      &left == &provider_ ? absl::OkStatus() : why);
}

void Relay::HandleLost(Half& half) {
  if (state_ == State::kEnded) return;
  if (state_ == State::kWaiting || state_ == State::kOpening) {
    lost_ = LostOf(half);
    Cut(absl::CancelledError("consumer went away"));
    return;
  }
  const bool orderly = state_ == State::kEnding || (half.said_end && Other(half).said_end);
  if (!orderly) lost_ = LostOf(half);
  End(orderly ? absl::OkStatus() : PathLost(), PathLost(), PathLost());
}

void Relay::End(const absl::Status& why, const absl::Status& consumer,
                const absl::Status& provider) {
  EndButPair(why, consumer, provider);
  if (pair_ != nullptr) pair_->Cut();
}

void Relay::EndButPair(const absl::Status& why, const absl::Status& consumer,
                       const absl::Status& provider) {
  if (state_ == State::kEnded) return;
  const CarriedBytes own = CarriedByThis();
  outcome_ = {state_ == State::kRelaying || state_ == State::kEnding,
              said_error_.ok() ? why : said_error_, own.sent, own.received, loop_.Now() - started_};
  LogEnd();
  SetState(State::kEnded);
  end_status_ = consumer;
  timer_.Cancel();
  opening_ = SlotCounter::Slot();
  held_ = SlotCounter::Slot();
  provider_slot_ = SlotCounter::Slot();
  // The streams write what they still have, then finish.
  for (auto [half, status] : {std::pair(&consumer_, consumer), std::pair(&provider_, provider)}) {
    if (half->held) counted_.rate()->GiveBack(half->held->claimed);
    half->held.reset();
    half->held_timer.reset();
    if (half->stream == nullptr) continue;
    half->stream->Finish(status);
    half->stream->SetDelegate(nullptr);
  }
  counted_ = Quotas::Channel();
  owner_.OnRelayEnded(*this);
}

void Relay::SetState(State to) {
  CULVERT_LOG(kDebug, "[channel {:x}] {} -> {}", id_, StateName(state_), StateName(to));
  state_ = to;
}

}  // namespace culvert::broker
