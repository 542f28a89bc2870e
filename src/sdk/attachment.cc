#include "sdk/attachment.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/random.h"
#include "culvert/error_code.h"
#include "rpc/codec.h"
#include "sdk/opening.h"

namespace culvert {
namespace {

std::string_view StateName(Attachment::State state) {
  switch (state) {
    case Attachment::State::kOff:
      return "off";
    case Attachment::State::kConnecting:
      return "connecting";
    case Attachment::State::kAttached:
      return "attached";
    case Attachment::State::kWaiting:
      return "waiting";
  }
  return "unknown";
}

bool HasRefused(const absl::Status& why) {
  return !absl::IsUnavailable(why) && !absl::IsCancelled(why) && !absl::IsDeadlineExceeded(why);
}

}  // namespace

Attachment::Attachment(net::EventLoop& loop, BrokerList& brokers, Connectivity& connectivity,
                       const ClientOptions& options, Process process, Duration answer_time)
    : brokers_(brokers),
      connectivity_(connectivity),
      options_(options),
      process_(std::move(process)),
      answer_time_(answer_time),
      incarnation_(crypto::RandomUint64()),
      loop_(loop),
      stitched_(loop, [this](const v1::AttachRequest& request) { Send(request); }),
      timer_(loop),
      keep_(loop),
      subscription_(connectivity,
                    {[this] { TryNow(); },
                     [this](size_t broker, const std::string&) { HandleDead(broker); }}) {}

Attachment::~Attachment() = default;

// --- who needs it ---

Attachment::User::User(Attachment& owner, Callbacks callbacks)
    : owner_(owner), callbacks_(std::move(callbacks)) {
  owner_.users_.push_back(this);
  owner_.HandleUsers();
}

Attachment::User::~User() {
  owner_.users_.remove(this);
  owner_.HandleUsers();
}

void Attachment::HandleUsers() {
  if (users_.empty()) {
    keep_.Start(kKeepTime, [this] {
      ping_.reset();
      stitched_.Stop(absl::UnavailableError("the control stream is not needed"));
      stream_.reset();
      timer_.Cancel();
      SetState(State::kOff);
    });
    return;
  }
  keep_.Cancel();
  if (state_ == State::kOff) Connect();
}

void Attachment::Use(size_t broker) {
  preferred_ = broker;
  // The stream stays where it is as long as it is there: channels by way of both know it.
  if (state_ != State::kWaiting || preferred_ == broker_) return;
  away_since_.reset();
  Connect();
}

std::optional<StitchedOpenings::Try> Attachment::TryStitched(size_t broker,
                                                             const std::string& provider) {
  const bool leads_there = state_ == State::kAttached && broker == broker_;
  return leads_there ? stitched_.Begin(provider) : std::nullopt;
}

bool Attachment::CanStitch(size_t broker, const std::string& provider) const {
  return state_ == State::kAttached && broker == broker_ && stitched_.MayBegin(provider);
}

void Attachment::WantStitched(size_t broker) {
  if (options_.path == PathChoice::kStream || broker != broker_) return;
  stitched_.NoteOpening();
}

// --- the stream ---

void Attachment::Connect() {
  ping_.reset();
  stitched_.Stop(absl::UnavailableError("another control stream"));
  SetState(State::kConnecting);
  broker_ = brokers_.Current(preferred_);
  rpc::Connection& connection = brokers_.ForAttempt(broker_);
  connection_ = connection.generation();
  stream_ = connection.Start(rpc::Method::kAttach);
  stream_->SetDelegate(this);
  v1::AttachRequest request;
  v1::AttachRequest::Hello& hello = *request.mutable_hello();
  hello.set_project(options_.project);
  hello.set_name(options_.name);
  hello.set_region_id(options_.region);
  hello.set_caps(tunnel::kOwnCapabilities);
  hello.set_incarnation(incarnation_);
  stream_->Write(rpc::FrameOf(request));
  stream_->Read();
  timer_.Start(answer_time_,
               [this] { Lose(absl::DeadlineExceededError("broker does not answer")); });
}

void Attachment::OnMessage(Bytes message) {
  v1::AttachResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    Lose(absl::InvalidArgumentError("message from the broker does not parse"));
    return;
  }
  stream_->Read();
  if (response.has_attached()) HandleAttached(response.attached().data_port());
  if (state_ != State::kAttached) return;
  stitched_.HandleMessage(response);
  if (response.has_notice()) HandleNotice(response.notice());
  if (response.has_fresh_ticket()) HandleFreshTicket(response.fresh_ticket());
}

void Attachment::HandleAttached(uint32_t data_port) {
  if (state_ != State::kConnecting) return;
  timer_.Cancel();
  away_since_.reset();
  SetState(State::kAttached);
  if (options_.path != PathChoice::kStream) stitched_.Start(stream_->PeerAddress(), data_port);
  ping_.emplace(connectivity_, broker_, [this] { SendPing(); });
}

void Attachment::Send(const v1::AttachRequest& request) {
  if (stream_ != nullptr) stream_->Write(rpc::FrameOf(request));
}

void Attachment::SendPing() {
  if (stream_->pending_writes() > 0) return;  // one is on its way, or was to be
  v1::AttachRequest request;
  request.mutable_ping();
  Send(request);
}

void Attachment::OnEnd(absl::Status status) {
  Lose(status.ok() ? absl::UnavailableError("broker ended the control stream") : status);
}

void Attachment::Lose(const absl::Status& why) {
  ping_.reset();
  stitched_.Stop(absl::UnavailableError(std::string(MessageOf(why))));
  stream_.reset();
  const MonotonicTime now = loop_.Now();
  if (!away_since_) away_since_ = now;
  SetState(State::kWaiting);
  const Duration wait = WaitAfter(why, now - *away_since_);
  not_before_ = HasRefused(why) ? now + kShortestWait : now;
  // A broker that does not serve it is as good as any.
  if (!absl::IsUnimplemented(why)) {
    CULVERT_LOG(kDebug, "control stream: next try in {:.2f} s: {}", ToSeconds(wait),
                Printable(MessageOf(ExplainStreamEnd(why, brokers_.AddressForAttempt(broker_)))));
  }
  timer_.Start(wait, [this] { Connect(); });
}

Duration Attachment::WaitAfter(const absl::Status& why, Duration away) {
  if (absl::IsUnimplemented(why)) return kUnservedWait;
  if (!HasRefused(why)) return connectivity_.RetryWaitAfter(broker_, away);
  return std::clamp(away / 4, Duration(kShortestWait), Duration(kUnservedWait));
}

void Attachment::TryNow() {
  if (state_ == State::kAttached) stitched_.Renew();
  if (state_ == State::kWaiting && loop_.Now() >= not_before_) Connect();
}

void Attachment::HandleDead(size_t broker) {
  if (stream_ == nullptr || broker != broker_) return;
  ping_.reset();
  Connect();
}

// The broker takes what comes over the stream for the one whose certificate began it.
void Attachment::HandleRenewed() {
  if (state_ == State::kConnecting || state_ == State::kAttached) Connect();
}

// --- notices ---

void Attachment::TellUsers(const std::function<void(const User::Callbacks&)>& tell) {
  for (User* const user : std::list(users_)) {
    if (std::find(users_.begin(), users_.end(), user) != users_.end()) tell(user->callbacks_);
  }
}

void Attachment::HandleFreshTicket(const v1::AttachResponse::FreshTicket& fresh) {
  if (fresh.ticket().empty() || fresh.ticket().size() > kMostTicketBytes) return;
  TellUsers([&](const User::Callbacks& user) {
    if (user.on_fresh_ticket) user.on_fresh_ticket(broker_, fresh.channel_id(), fresh.ticket());
  });
}

void Attachment::HandleNotice(const v1::Notice& notice) {
  if (notice.has_drain()) {
    TellUsers([&](const User::Callbacks& user) {
      if (user.on_drain) user.on_drain(broker_, connection_, notice.drain());
    });
    HandleDrain();
  } else if (notice.has_cut()) {
    const absl::Status why = ErrorStatus(
        ErrorCodeFromNumber(static_cast<uint32_t>(notice.cut().code())), notice.cut().message());
    TellUsers([&](const User::Callbacks& user) {
      if (user.on_cut) user.on_cut(notice.cut().channel_id(), why);
    });
  } else if (notice.has_retry_after()) {
    const Duration wait = std::chrono::milliseconds(notice.retry_after().ms());
    process_.hold_openings(std::min(wait, Duration(kMaxHold)));
  } else if (notice.has_renew()) {
    process_.renew();
  }
}

// Where there are others the stream follows the channels (Use) when the broker ends it.
void Attachment::HandleDrain() {
  if (state_ != State::kAttached || brokers_.size() > 1) return;
  connectivity_.Leave(broker_, connection_);
  Lose(absl::UnavailableError("the broker is about to stop"));
  timer_.Start(kDrainedWait, [this] { Connect(); });
}

void Attachment::SetState(State to) {
  if (to == state_) return;
  CULVERT_LOG(kDebug, "[control {}] {} -> {}", brokers_.AddressForAttempt(broker_),
              StateName(state_), StateName(to));
  state_ = to;
}

}  // namespace culvert
