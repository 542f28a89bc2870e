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
    case ProviderSession::State::kWaiting:
      return "waiting";
    case ProviderSession::State::kDrained:
      return "drained";
  }
  return "unknown";
}

}  // namespace

ProviderSession::ProviderSession(ClientCore& core, Provider::Options options)
    : core_(core),
      options_(std::move(options)),
      incarnation_(crypto::RandomUint64()),
      timer_(core.loop()),
      remove_done_(core.loop(), [this] { RemoveDone(); }),
      new_key_(core, [this] { RegisterAgain(); }) {
  Connect();
}

ProviderSession::~ProviderSession() = default;

void ProviderSession::Connect() {
  SetState(State::kConnecting);
  stream_ = core_.brokers().ForAttempt(attempt_).Start(rpc::Method::kListen);
  stream_->SetDelegate(this);
  pb::ListenRequest request;
  auto& open = *request.mutable_open_request();
  SetIdentity(core_.options(), open);
  open.set_caps(OwnCapabilities(core_));
  open.set_incarnation(incarnation_);
  for (const auto& [name, factory] : options_.services) open.add_services(name);
  stream_->Write(rpc::FrameOf(request));
  stream_->Read();
  timer_.Start(kRegisterTime,
               [this] { Lose(absl::DeadlineExceededError("broker does not answer")); });
}

// A registration is one key's, and so is what it may accept. Channels that are open go on.
void ProviderSession::RegisterAgain() {
  if (state_ != State::kConnecting && state_ != State::kListening) return;
  const std::unique_ptr<rpc::Stream> old = std::move(stream_);
  CutStarting(ErrorStatus(ErrorCode::kPathLost, "the agent registers with a new key"));
  Connect();
}

void ProviderSession::OnMessage(Bytes message) {
  pb::ListenResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    Lose(absl::InvalidArgumentError("message from the broker does not parse"));
    return;
  }
  stream_->Read();
  if (response.has_listening()) HandleListening(response.listening());
  if (response.has_open_channel_response()) HandleOffer(response.open_channel_response());
  if (response.has_notice() && response.notice().has_cut()) HandleCut(response.notice().cut());
}

void ProviderSession::HandleListening(const pb::ListenResponse::Listening& listening) {
  if (state_ != State::kConnecting) return;
  timer_.Cancel();
  session_id_ = listening.session_id();
  listening_since_ = core_.loop().Now();
  core_.broker_use().NoteReached(core_.brokers().AddressForAttempt(attempt_), listening_since_);
  SetState(State::kListening);
  if (options_.on_state) options_.on_state(absl::OkStatus(), Duration::zero());
}

void ProviderSession::HandleOffer(const pb::ListenResponse::OpenChannelResponse& offer) {
  if (state_ != State::kListening) return;
  auto created =
      std::make_unique<ProviderChannel>(core_, core_.brokers().ForAttempt(attempt_), session_id_,
                                        offer, static_cast<ProviderChannel::Owner&>(*this));
  const auto [place, added] = channels_.emplace(offer.channel_id(), std::move(created));
  if (!added) {
    SendRefusal(offer.channel_id(), ErrorStatus(ErrorCode::kAlreadyExists, "channel id is in use"));
    return;
  }
  ProviderChannel& channel = *place->second;
  if (++starting_ > kMaxStarting) {
    channel.Refuse(ErrorStatus(ErrorCode::kBusy, "too many openings under way at the agent"));
    return;
  }
  const auto factory = options_.services.find(offer.service());
  const bool plain = options_.plaintext_services.count(offer.service()) > 0;
  channel.Start(factory == options_.services.end() ? nullptr : &factory->second,
                plain ? ProviderChannel::Plain::kYes : ProviderChannel::Plain::kNo);
}

// Who asked for the channel went away, or may not have it any more.
void ProviderSession::HandleCut(const culvert::v1::Notice::Cut& cut) {
  const auto found = channels_.find(cut.channel_id());
  if (found == channels_.end()) return;
  found->second->Cut(
      ErrorStatus(ErrorCodeFromNumber(static_cast<uint32_t>(cut.code())), cut.message()));
}

void ProviderSession::OnEnd(absl::Status status) {
  Lose(status.ok() ? status
                   : ExplainStreamEnd(status, core_.brokers().AddressForAttempt(attempt_)));
}

void ProviderSession::Lose(const absl::Status& why) {
  core_.broker_use().NoteLost(core_.brokers().AddressForAttempt(attempt_), core_.loop().Now());
  stream_.reset();
  timer_.Cancel();
  CutStarting(ErrorStatus(ErrorCode::kPathLost, "the registration was lost"));
  if (state_ == State::kDrained) return;
  WaitAndConnect(why.ok() ? absl::UnavailableError("broker ended the registration") : why);
}

void ProviderSession::WaitAndConnect(const absl::Status& why) {
  const Duration wait = WaitAfter(why);
  SetState(State::kWaiting);
  ++attempt_;
  timer_.Start(wait, [this] { Connect(); });
  if (options_.on_state) options_.on_state(why, wait);
}

Duration ProviderSession::WaitAfter(const absl::Status& why) {
  const bool was_stable =
      state_ == State::kListening && core_.loop().Now() - listening_since_ >= kStableTime;
  if (was_stable) backoff_.Reset();
  if (!absl::IsAborted(why)) {
    if (was_stable) taken_over_wait_ = kTakenOverWait;
    return backoff_.Next();
  }
  return std::exchange(taken_over_wait_,
                       std::min(taken_over_wait_ * 2, Duration(kTakenOverMaxWait)));
}

// --- channels ---

void ProviderSession::OnChannelRefused(ProviderChannel& channel, const absl::Status& why) {
  SendRefusal(channel.id(), why);
}

void ProviderSession::SendRefusal(uint64_t channel_id, const absl::Status& why) {
  if (stream_ == nullptr) return;
  if (stream_->pending_writes() >= kMaxUnreadRefusals) {
    Lose(absl::ResourceExhaustedError("broker does not read what it is answered"));
    return;
  }
  pb::ListenRequest request;
  auto& error = *request.mutable_channel_open_error();
  error.set_channel_id(channel_id);
  error.set_message(tunnel::CutErrorText(std::string(MessageOf(why))));
  error.set_code(static_cast<culvert::v1::ErrorCode>(ErrorCodeOf(why)));
  stream_->Write(rpc::FrameOf(request));
}

void ProviderSession::OnChannelReport(const ServiceRequest& request, const ChannelReport& report) {
  if (options_.on_channel_end) options_.on_channel_end(request, report);
}

void ProviderSession::OnChannelDone(ProviderChannel& channel) {
  done_.push_back(channel.id());
  remove_done_.Schedule();
}

void ProviderSession::RemoveDone() {
  const std::vector<uint64_t> done = std::exchange(done_, {});
  for (const uint64_t id : done) channels_.erase(id);
  if (channels_.empty() && !done.empty()) core_.ReturnFreeMemory();
  CheckDrained();
}

std::vector<ChannelStatus> ProviderSession::Channels() const {
  std::vector<ChannelStatus> channels;
  for (const auto& [id, channel] : channels_) {
    if (std::optional<ChannelStatus> status = channel->Status()) channels.push_back(*status);
  }
  return channels;
}

void ProviderSession::Drain(absl::AnyInvocable<void() &&> done) {
  on_drained_ = std::move(done);
  SetState(State::kDrained);
  timer_.Cancel();
  if (stream_ != nullptr) stream_->Finish(absl::OkStatus());
  CutStarting(ErrorStatus(ErrorCode::kShutdown, "the program is ending"));
  remove_done_.Schedule();
}

// The broker has taken back what was offered in this session.
void ProviderSession::CutStarting(const absl::Status& why) {
  for (const auto& [id, channel] : channels_) channel->CutIfStarting(why);
}

void ProviderSession::CheckDrained() {
  if (state_ != State::kDrained || !channels_.empty() || !on_drained_) return;
  core_.loop().Post(std::exchange(on_drained_, nullptr));
}

void ProviderSession::SetState(State to) {
  CULVERT_LOG(kDebug, "[session {:x}] {} -> {}", session_id_, StateName(state_), StateName(to));
  state_ = to;
}

}  // namespace culvert
