#include "broker/session.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

namespace pb = ntt::proxies::v1;

// Offers that a provider has not read yet.
constexpr size_t kMaxPendingOffers = 1024;

rpc::Frame FrameOf(const google::protobuf::MessageLite& message) {
  return rpc::Frame{message.SerializeAsString(), Bytes()};
}

}  // namespace

Session::Session(uint64_t id, OpenSession opening, std::string peer,
                 std::unique_ptr<rpc::Stream> stream, SlotCounter::Slot slot, Owner& owner)
    : id_(id),
      opening_(std::move(opening)),
      peer_(std::move(peer)),
      stream_(std::move(stream)),
      slot_(std::move(slot)),
      owner_(owner) {
  stream_->SetDelegate(this);
  pb::ListenResponse response;
  response.mutable_listening()->set_session_id(id_);
  if (capable()) response.mutable_listening()->set_caps(tunnel::kOwnCapabilities);
  stream_->Write(FrameOf(response));
  stream_->Read();
}

Session::~Session() = default;

absl::Status Session::Offer(uint64_t channel_id, const OpenChannel& open) {
  if (stream_ == nullptr) return absl::UnavailableError("agent is going away");
  if (stream_->pending_writes() > kMaxPendingOffers) {
    return absl::ResourceExhaustedError("agent does not keep up with openings");
  }
  pb::ListenResponse response;
  auto& offer = *response.mutable_open_channel_response();
  offer.set_channel_id(channel_id);
  offer.set_service(open.service);
  offer.set_arg(open.arg);
  if (capable()) {
    offer.set_caps(open.capabilities);
    offer.set_window(open.window);
    offer.set_attempt(1);
    offer.mutable_consumer()->set_address(open.consumer);
  }
  stream_->Write(FrameOf(response));
  return absl::OkStatus();
}

void Session::End(const absl::Status& why) {
  if (stream_ == nullptr) return;
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
  if (envelope->kind == rpc::Kind::kPing) {
    // The next message is read when the Pong is out (OnWritten): a flood of pings queues nothing.
    stream_->Write(
        rpc::MakeEnvelope(rpc::EnvelopeType::kListenResponse, rpc::Kind::kPong, Bytes()));
    return;
  }
  HandleControl(message);
}

void Session::HandleControl(const Bytes& message) {
  pb::ListenRequest request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size())) ||
      !request.has_channel_open_error()) {
    Lose(absl::InvalidArgumentError("only channel_open_error and ping may follow the opening"));
    return;
  }
  stream_->Read();
  const auto& error = request.channel_open_error();
  owner_.OnOpenRefused(*this, error.channel_id(),
                       tunnel::ErrorCodeFromNumber(static_cast<uint32_t>(error.code())),
                       error.message().substr(0, tunnel::kMaxErrorText));
}

void Session::OnWritten() {
  if (stream_ != nullptr) stream_->Read();
}

void Session::OnPeerFinished() { Lose(absl::OkStatus()); }

void Session::OnEnd(absl::Status status) { Lose(status); }

void Session::Lose(const absl::Status& why) {
  End(why);
  owner_.OnSessionLost(*this, why);
}

}  // namespace culvert::broker
