#include "broker/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/leases.h"
#include "crypto/random.h"
#include "culvert/error_code.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"
#include "tunnel/message.h"

namespace culvert::broker {

namespace pb = ntt::proxies::v1;

namespace {

template <typename Offer>
void FillOffer(const OpenChannel& open, Offer& offer) {
  offer.set_service(open.service);
  offer.set_arg(open.arg);
}

template <typename Offer>
void FillAdditions(const OpenChannel& open, const std::string& consumer_address, uint32_t attempt,
                   Offer& offer) {
  offer.set_caps(open.capabilities);
  offer.set_window(open.window);
  offer.set_attempt(attempt);
  offer.set_e2e(open.end_to_end);
  // A legacy consumer does not say: the broker holds its channels for that long.
  offer.set_resume_timeout_s(tunnel::IsCapable(open.capabilities)
                                 ? std::min(open.resume_timeout_s, kMostResumeSeconds)
                                 : kLegacyResumeSeconds);
  auto& consumer = *offer.mutable_consumer();
  consumer.set_address(consumer_address);
  if (open.principal) {
    consumer.set_spiffe_id(open.principal->id.ToString());
    consumer.set_key_thumbprint(open.principal->key);
  }
}

}  // namespace

Session::Session(net::EventLoop& loop, uint64_t id, OpenSession opening, std::string peer,
                 std::unique_ptr<rpc::Stream> stream, const Times& times, Owner& owner)
    : loop_(loop),
      id_(id),
      stream_id_(crypto::RandomId()),
      opening_(std::move(opening)),
      since_(loop.Now()),
      peer_(std::move(peer)),
      stream_(std::move(stream)),
      pings_(kPings, since_),
      refusals_(kRefusals, since_),
      times_(times),
      unread_timer_(loop),
      ticket_timer_(loop),
      owner_(owner) {
  stream_->SetDelegate(this);
  WriteListening();
  stream_->Read();
}

Session::~Session() = default;

void Session::WriteListening() {
  pb::ListenResponse response;
  response.mutable_listening()->set_session_id(id_);
  if (capable()) {
    response.mutable_listening()->set_caps(OfferedCapabilities(owner_.data_port()));
    response.mutable_listening()->set_data_port(owner_.data_port());
    response.mutable_listening()->set_session_ticket(owner_.MakeTicket(id_, opening_));
    ticket_timer_.Start(times_.ticket_renewal, [this] { WriteListening(); });
  }
  Write(rpc::FrameOf(response));
}

absl::Status Session::Offer(uint64_t channel_id, const OpenChannel& open,
                            const std::string& consumer_address, uint64_t parked_id) {
  pb::ListenResponse response;
  auto& offer = *response.mutable_open_channel_response();
  offer.set_channel_id(channel_id);
  FillOffer(open, offer);
  if (capable()) FillAdditions(open, consumer_address, 1, offer);
  if (parked_id != 0) offer.set_parked_id(parked_id);
  return WriteOffer(rpc::FrameOf(response));
}

absl::Status Session::OfferResume(const Resumption& resume, const OpenChannel& open,
                                  const std::string& consumer_address, uint64_t parked_id) {
  pb::ListenResponse response;
  auto& offer = *response.mutable_resume_channel_response();
  if (parked_id != 0) offer.set_parked_id(parked_id);
  offer.set_channel_id(resume.channel_id);
  offer.set_last_message_id(resume.last_message_id);
  FillOffer(open, offer);
  if (capable()) {
    FillAdditions(open, consumer_address, resume.attempt, offer);
    offer.set_resume_timeout_s(resume.timeout_s);
  }
  return WriteOffer(rpc::FrameOf(response));
}

absl::Status Session::WriteOffer(rpc::Frame frame) {
  if (stream_ == nullptr) return absl::UnavailableError("agent is going away");
  if (!HasRoomFor(frame, kMaxUnreadBytes)) {
    return absl::ResourceExhaustedError("agent does not keep up with openings");
  }
  Write(std::move(frame));
  return absl::OkStatus();
}

culvert::v1::Notice CutNotice(uint64_t channel_id, const absl::Status& why) {
  culvert::v1::Notice notice;
  auto& cut = *notice.mutable_cut();
  cut.set_channel_id(channel_id);
  cut.set_code(static_cast<culvert::v1::ErrorCode>(ErrorCodeOf(why)));
  cut.set_message(std::string(MessageOf(why)));
  return notice;
}

bool Session::TellCut(uint64_t channel_id, const absl::Status& why) {
  return Notify(CutNotice(channel_id, why));
}

bool Session::Notify(const culvert::v1::Notice& notice) {
  if (stream_ == nullptr || !capable()) return false;
  pb::ListenResponse response;
  *response.mutable_notice() = notice;
  rpc::Frame frame = rpc::FrameOf(response);
  if (!HasRoomFor(frame, kMaxUnreadNotices)) return false;
  Write(std::move(frame));
  return true;
}

bool Session::HasRoomFor(const rpc::Frame& frame, size_t limit) {
  CountTaken();
  return unread_bytes_ + frame.head.size() <= limit;
}

void Session::Write(rpc::Frame frame) {
  const size_t size = frame.head.size() + frame.body.size();
  unread_.push_back(size);
  unread_bytes_ += size;
  stream_->Write(std::move(frame));
  if (!unread_timer_.is_set()) WatchReading();
}

void Session::CountTaken() {
  while (unread_.size() > stream_->pending_writes()) {
    unread_bytes_ -= unread_.front();
    unread_.pop_front();
    ++taken_;
  }
}

void Session::WatchReading() {
  CountTaken();
  unread_timer_.Start(times_.unread, [this, before = taken_] {
    CountTaken();
    if (unread_.empty()) return;
    if (taken_ != before) {
      WatchReading();
    } else {
      Lose(absl::UnavailableError("agent does not read its Listen stream"));
    }
  });
}

void Session::End(const absl::Status& why) {
  if (stream_ == nullptr) return;
  unread_timer_.Cancel();
  ticket_timer_.Cancel();
  stream_->Finish(why);
  stream_.reset();
}

void Session::OnMessage(Bytes message) {
  absl::StatusOr<rpc::Envelope> envelope =
      rpc::ParseEnvelope(rpc::EnvelopeType::kListenRequest, message);
  if (!envelope.ok()) {
    Lose(envelope.status());
    return;
  }
  const bool ping = envelope->kind == rpc::Kind::kPing;
  if (!(ping ? pings_ : refusals_).Take(loop_.Now())) {
    Lose(absl::ResourceExhaustedError("agent sends too much on its Listen stream"));
    return;
  }
  if (ping) {
    // The next message is read when the Pong is out (OnWritten): a flood of pings queues nothing.
    Write(rpc::MakeEnvelope(rpc::EnvelopeType::kListenResponse, rpc::Kind::kPong, Bytes()));
    return;
  }
  HandleControl(message);
}

void Session::HandleControl(const Bytes& message) {
  pb::ListenRequest request;
  const bool parsed = request.ParseFromArray(message.data(), static_cast<int>(message.size()));
  if (parsed && request.has_lease_data()) {
    pb::ListenResponse response;
    *response.mutable_lease_data() = owner_.Lend(*this, request.lease_data().count());
    Write(rpc::FrameOf(response));  // OnWritten reads on
    return;
  }
  if (!parsed || !(request.has_channel_open_error() || request.has_stitch_failed())) {
    Lose(absl::InvalidArgumentError(
        "only channel_open_error, lease_data, stitch_failed and ping may follow the opening"));
    return;
  }
  stream_->Read();
  if (request.has_stitch_failed()) {
    const auto& failed = request.stitch_failed();
    owner_.OnStitchFailed(*this, failed.channel_id(), failed.parked_id());
    return;
  }
  const auto& error = request.channel_open_error();
  owner_.OnOpenRefused(
      *this, {error.channel_id(), tunnel::ErrorCodeFromNumber(static_cast<uint32_t>(error.code())),
              tunnel::CutErrorText(error.message()), error.last_message_id()});
}

void Session::OnWritten() {
  if (stream_ == nullptr) return;
  CountTaken();
  if (unread_.empty()) unread_timer_.Cancel();
  stream_->Read();
}

void Session::OnPeerFinished() { Lose(absl::OkStatus()); }

void Session::OnEnd(absl::Status status) { Lose(status); }

void Session::Lose(const absl::Status& why) {
  End(why);
  owner_.OnSessionLost(*this, why);
}

}  // namespace culvert::broker
