#include "sdk/provider_session.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/random.h"
#include "culvert/error_code.h"
#include "rpc/codec.h"
#include "sdk/opening.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

std::string_view StateName(ProviderSession::State state) {
  switch (state) {
    case ProviderSession::State::kConnecting:
      return "connecting";
    case ProviderSession::State::kListening:
      return "listening";
    case ProviderSession::State::kLeaving:
      return "leaving";
    case ProviderSession::State::kWaiting:
      return "waiting";
    case ProviderSession::State::kTakenOver:
      return "taken over";
    case ProviderSession::State::kDrained:
      return "drained";
  }
  return "unknown";
}

// What both openings of Listen say.
template <typename Request>
void SetOpening(ClientCore& core, const Provider::Options& options, uint64_t incarnation,
                Request& request) {
  SetIdentity(core.options(), request);
  request.set_caps(OwnCapabilities(core));
  request.set_incarnation(incarnation);
  for (const auto& [name, factory] : options.services) request.add_services(name);
}

// What gRPC makes of an answer that is HTTP's and none of gRPC: a proxy's, that is set up wrongly.
constexpr std::string_view kAnswerOfHttp = "Received http2 header with status";

// A broker that answers so does not take the session up again, today or ever; it may make another.
// One that seals tickets has the call: then UNIMPLEMENTED is a proxy's word too.
bool RefusesSession(const absl::Status& why, const std::string& ticket) {
  if (MessageOf(why).find(kAnswerOfHttp) != std::string_view::npos) return false;
  return absl::IsPermissionDenied(why) || absl::IsOutOfRange(why) || absl::IsNotFound(why) ||
         absl::IsInvalidArgument(why) || (absl::IsUnimplemented(why) && ticket.empty());
}

}  // namespace

ProviderSession::ProviderSession(ClientCore& core, Provider::Options options)
    : core_(core),
      options_(std::move(options)),
      incarnation_(crypto::RandomUint64()),
      timer_(core.loop()),
      abort_timer_(core.loop()),
      parking_(core.loop(),
               [this](uint32_t count) {
                 pb::ListenRequest request;
                 request.mutable_lease_data()->set_count(count);
                 Send(request);
               }),
      channels_(core, options_, static_cast<ProviderChannels::Owner&>(*this)),
      new_key_(core, [this] { RegisterAgain(); }),
      connectivity_(
          core.connectivity(),
          {.on_try_now = [this] { TryNow(); },
           .on_dead = [this](size_t dead, const std::string& why) { HandleDead(dead, why); }}) {
  Connect();
}

ProviderSession::~ProviderSession() = default;

// --- the stream ---

void ProviderSession::Connect() {
  SetState(State::kConnecting);
  ping_.reset();
  parking_.Stop();
  connecting_since_ = core_.loop().Now();
  attempt_ = core_.brokers().Current(attempt_);
  rpc::Connection& connection = core_.brokers().ForAttempt(attempt_);
  connection_ = connection.generation();
  next_.reset();
  retry_after_ = Duration::zero();
  stream_ = connection.Start(rpc::Method::kListen);
  stream_->SetDelegate(this);
  stream_->Write(Opening());
  stream_->Read();
  timer_.Start(kRegisterTime,
               [this] { Lose(absl::DeadlineExceededError("broker does not answer")); });
}

rpc::Frame ProviderSession::Opening() const {
  pb::ListenRequest request;
  if (registration_) {
    auto& resume = *request.mutable_resume_request();
    SetOpening(core_, options_, incarnation_, resume);
    resume.set_session_id(registration_->id);
    resume.set_session_ticket(registration_->ticket);
  } else {
    SetOpening(core_, options_, incarnation_, *request.mutable_open_request());
  }
  return rpc::FrameOf(request);
}

// A registration is one key's, and so is what it may accept and resume. Channels whose paths live
// go on.
void ProviderSession::RegisterAgain() {
  registration_.reset();
  if (state_ != State::kConnecting && !is_listening()) return;
  const std::unique_ptr<rpc::Stream> old = std::move(stream_);
  channels_.CutStarting(ErrorStatus(ErrorCode::kPathLost, "the agent registers with a new key"));
  Connect();
}

void ProviderSession::TryNow() {
  const bool stuck =
      state_ == State::kConnecting && core_.loop().Now() - connecting_since_ >= kFreshTry;
  if (state_ == State::kWaiting || stuck) Connect();
  parking_.Renew();
  channels_.LeaveUnanswered(absl::UnavailableError("the network was away"));
}

void ProviderSession::HandleDead(size_t dead, const std::string& why) {
  channels_.SuspendAt(dead, why);
  if (stream_ == nullptr || broker() != dead) return;
  // It was there until now, and a verdict takes a while: nobody is hurried by the next try.
  if (is_listening()) away_since_.reset();
  Lose(absl::UnavailableError(why));
}

void ProviderSession::OnMessage(Bytes message) {
  pb::ListenResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    Lose(absl::InvalidArgumentError("message from the broker does not parse"));
    return;
  }
  stream_->Read();
  if (response.has_listening()) {
    HandleListening(response.listening());
  } else if (response.has_notice()) {
    HandleNotice(response.notice());
  } else if (response.has_lease_data()) {
    parking_.TakeLeases(response.lease_data());
  } else if (is_listening() && response.has_open_channel_response()) {
    channels_.TakeOffer(response.open_channel_response(), link());
  } else if (is_listening() && response.has_resume_channel_response()) {
    channels_.TakeResume(response.resume_channel_response(), link());
  }
}

ProviderChannel::Link ProviderSession::link() {
  return {core_.brokers().ForAttempt(attempt_), broker(), registration_ ? registration_->id : 0,
          parking_};
}

void ProviderSession::HandleListening(const pb::ListenResponse::Listening& listening) {
  const bool same = registration_ && registration_->id == listening.session_id();
  if (is_listening() && same) registration_->ticket = listening.session_ticket();  // a fresh one
  if (state_ != State::kConnecting) return;
  timer_.Cancel();
  registration_ = Registration{listening.session_id(), listening.session_ticket()};
  listening_since_ = core_.loop().Now();
  core_.broker_use().NoteReached(address(), listening_since_);
  SetState(State::kListening);
  StartParking(listening.data_port());
  ping_.emplace(core_.connectivity(), broker(), [this] { SendPing(); });
  channels_.SetSession(listening.session_id());
  channels_.TellStitchesLost();
  if (options_.on_state) options_.on_state(absl::OkStatus(), Duration::zero());
}

void ProviderSession::StartParking(uint32_t data_port) {
  if (core_.options().path == PathChoice::kStream || data_port == 0 || data_port > UINT16_MAX) {
    return;
  }
  const absl::StatusOr<net::Address> port =
      net::Address::FromLiteral(stream_->PeerAddress(), static_cast<uint16_t>(data_port));
  if (port.ok()) parking_.Start(*port);
}

void ProviderSession::Send(const pb::ListenRequest& request) {
  if (stream_ != nullptr) stream_->Write(rpc::FrameOf(request));
}

void ProviderSession::SendPing() {
  if (stream_->pending_writes() > 0) return;  // one is on its way, or was to be
  pb::ListenRequest request;
  request.mutable_ping();
  stream_->Write(rpc::FrameOf(request));
}

void ProviderSession::OnEnd(absl::Status status) {
  Lose(status.ok() ? status : ExplainStreamEnd(status, address()));
}

void ProviderSession::Lose(const absl::Status& why) {
  ping_.reset();
  parking_.Stop();
  core_.broker_use().NoteLost(address(), core_.loop().Now());
  stream_.reset();
  timer_.Cancel();
  channels_.CutStarting(ErrorStatus(ErrorCode::kPathLost, "the registration was lost"));
  if (state_ == State::kDrained) return;
  const bool refused =
      state_ == State::kConnecting && registration_ && RefusesSession(why, registration_->ticket);
  if (refused || absl::IsAborted(why)) Forget();
  WaitAndConnect(why.ok() ? absl::UnavailableError("broker ended the registration") : why);
  FollowDrain();
}

// The session is nobody's any more, or another process's.
void ProviderSession::Forget() {
  registration_.reset();
  channels_.SetSession(0);
}

void ProviderSession::WaitAndConnect(const absl::Status& why) {
  const Duration wait = std::max(WaitAfter(why), std::exchange(retry_after_, Duration::zero()));
  SetState(absl::IsAborted(why) ? State::kTakenOver : State::kWaiting);
  attempt_ = next_.value_or(core_.brokers().After(attempt_));
  timer_.Start(wait, [this] { Connect(); });
  if (options_.on_state) options_.on_state(why, wait);
}

Duration ProviderSession::WaitAfter(const absl::Status& why) {
  const MonotonicTime now = core_.loop().Now();
  const Duration lasted = is_listening() ? now - listening_since_ : Duration::zero();
  const bool was_stable = lasted >= kStableTime;
  const bool was_moved = state_ == State::kLeaving && lasted >= kWorthyTime;
  if (was_stable || was_moved || !away_since_) away_since_ = now;
  const bool taken_back = taken_back_ && now - *taken_back_ < kTakeBackTime;
  if (!absl::IsAborted(why) || taken_back) {
    if (was_stable) taken_over_wait_ = kTakenOverWait;
    return core_.connectivity().RetryWaitAfter(attempt_, now - *away_since_);
  }
  return std::exchange(taken_over_wait_,
                       std::min(taken_over_wait_ * 2, Duration(kTakenOverMaxWait)));
}

// --- channels ---

// What a broker causes to be said is not kept for it without end.
bool ProviderSession::MayAnswer() {
  if (stream_ == nullptr) return false;
  if (stream_->pending_writes() < kMaxUnreadAnswers) return true;
  Lose(absl::ResourceExhaustedError("broker does not read what it is answered"));
  return false;
}

void ProviderSession::SendRefusal(uint64_t channel_id, const absl::Status& why, uint64_t last_id) {
  if (!MayAnswer()) return;
  pb::ListenRequest request;
  auto& error = *request.mutable_channel_open_error();
  error.set_channel_id(channel_id);
  error.set_message(tunnel::CutErrorText(std::string(MessageOf(why))));
  error.set_code(static_cast<culvert::v1::ErrorCode>(ErrorCodeOf(why)));
  error.set_last_message_id(last_id);
  stream_->Write(rpc::FrameOf(request));
}

void ProviderSession::SendStitchFailed(uint64_t channel_id, uint64_t parked_id) {
  // Otherwise TellStitchesLost follows.
  if (!is_listening() || !MayAnswer()) return;
  pb::ListenRequest request;
  request.mutable_stitch_failed()->set_channel_id(channel_id);
  request.mutable_stitch_failed()->set_parked_id(parked_id);
  request.mutable_stitch_failed()->set_message("the parked connection is gone");
  Send(request);
}

void ProviderSession::SetState(State to) {
  CULVERT_LOG(kDebug, "[session {:x}] {} -> {}", registration_ ? registration_->id : 0,
              StateName(state_), StateName(to));
  state_ = to;
  connectivity_.SetWaiting(to == State::kConnecting || to == State::kWaiting);
}

}  // namespace culvert
