#include "sdk/consumer_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/opening.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

// An answer that another try may change. What the provider said of the target is final.
bool WorthRetrying(ErrorCode code) {
  return code == ErrorCode::kOffline || code == ErrorCode::kBusy;
}

}  // namespace

ConsumerCall::ConsumerCall(ClientCore& core, Consumer::Request request,
                           std::unique_ptr<Outlet> outlet, Consumer::OnEnd on_end, Owner& owner)
    : core_(core),
      request_(std::move(request)),
      outlet_(std::move(outlet)),
      on_end_(std::move(on_end)),
      owner_(owner),
      timer_(core.loop()),
      deadline_(core.loop()),
      attempt_(core.brokers().First()),
      started_(MonotonicNow()) {}

ConsumerCall::~ConsumerCall() {
  if (outlet_ == nullptr) return;
  attachment_.reset();
  outlet_->Close(ErrorStatus(ErrorCode::kShutdown, "program is ending"));
}

void ConsumerCall::Start() {
  attachment_.emplace(*outlet_, static_cast<EndpointListener&>(*this));
  deadline_.Start(request_.open_timeout, [this] { HandleTimeUp(); });
  const std::string target =
      fmt::format("{}\n{}\n{}", request_.provider, request_.service, request_.arg);
  connectivity_.emplace(
      core_.connectivity(),
      Connectivity::Subscription::Callbacks{
          .on_try_now = [this] { TryNow(); },
          .on_dead = [this](size_t broker, const std::string& why) { HandleDead(broker, why); }});
  place_.emplace(core_.openings(), target, [this] { TryOpen(); });
}

// It is open, or will not be.
void ConsumerCall::LeaveOpening() {
  deadline_.Cancel();
  connectivity_.reset();
  attachment_.reset();
  place_.reset();
}

void ConsumerCall::HandleTimeUp() {
  if (is_securing()) {
    StopSecuring(ErrorStatus(ErrorCode::kTimeout,
                             "the handshake with the agent, or its dial, takes too long"));
    return;
  }
  if (stream_ != nullptr && !last_try_) {
    last_try_ = true;
    deadline_.Start(kAnswerTime, [this] { HandleTimeUp(); });
  } else if (place_ && place_->waits()) {
    FailOpening(ErrorStatus(ErrorCode::kBusy, "too many openings under way to the same target"));
  } else if (last_failure_.ok()) {
    FailOpening(ErrorStatus(ErrorCode::kTimeout, fmt::format("not open within {:.1f} s",
                                                             ToSeconds(request_.open_timeout))));
  } else {
    FailOpening(last_failure_);
  }
}

// The outlet does not want the channel any more, which is not open yet.
void ConsumerCall::OnEndpointStop(absl::Status why) {
  const absl::Status ended =
      why.ok() ? absl::CancelledError("ended before the channel was open") : why;
  if (is_securing()) {
    StopSecuring(ended);
  } else {
    FailOpening(ended);
  }
}

void ConsumerCall::Abort(const absl::Status& why) {
  if (driver_ != nullptr && outlet_ == nullptr) {
    driver_->OnEndpointStop(why);
  } else {
    OnEndpointStop(why);
  }
}

void ConsumerCall::TryOpen() {
  parted_ = false;
  own_window_ = std::min(tunnel::ReceiveWindow::kInitialWindow, core_.budget().ShareOfNext());
  pb::ConnectRequest request;
  auto& open = *request.mutable_open_request();
  SetIdentity(core_.options(), open);
  open.set_provider_name(request_.provider);
  open.set_service(request_.service);
  open.set_arg(request_.arg);
  open.set_caps(OwnCapabilities(core_));
  open.set_window(own_window_);
  open.set_resume_timeout_s(ResumeSeconds(core_.options()));
  if (Encrypts(core_)) {
    open.set_e2e(culvert::v1::END_TO_END_REQUIRED);
    own_ = core_.end_to_end()->client();
  } else if (core_.end_to_end() != nullptr) {
    open.set_e2e(culvert::v1::END_TO_END_OFF);
  }
  joining_.reset();
  early_.reset();
  opened_.Clear();
  StitchedOpenings::Try started = StartTry();
  stream_ = std::move(started.call);
  stream_->SetDelegate(this);
  stream_->Write(rpc::FrameOf(request));
  stream_->Read();
  if (started.connection != nullptr) Meet(std::move(started.connection));
}

StitchedOpenings::Try ConsumerCall::StartTry() {
  attempt_ = core_.brokers().Current(attempt_);
  const bool may_stitch = MayStitch(core_);
  if (may_stitch) core_.attachment().WantStitched(attempt_);
  if (std::exchange(way_, Way::kBest) == Way::kBest && may_stitch) {
    if (std::optional<StitchedOpenings::Try> stitched =
            core_.attachment().TryStitched(attempt_, request_.provider)) {
      return *std::move(stitched);
    }
  }
  return {core_.brokers().ForAttempt(attempt_).Start(rpc::Method::kConnect), nullptr};
}

// Says what can be said before the broker answers: it waits in the kernel for whom the broker joins
// the connection with. If that is nobody, it was for nothing.
void ConsumerCall::Meet(std::unique_ptr<net::TcpStream> connection) {
  PendingStitch::Meeting meeting;
  meeting.own_role = stitch::HelloRole::kConsumer;
  meeting.window = own_window_;
  meeting.resume_timeout_s = ResumeSeconds(core_.options());
  if (Encrypts(core_)) {
    early_ = EarlyHello::Make(*core_.end_to_end(), own_, ConsumerSecuring::AgentOf(Hello(0)));
  }
  if (early_) meeting.early = early_->bytes;
  joining_.emplace(
      core_.loop(), std::move(connection), meeting, request_.open_timeout + kAnswerTime,
      [this](absl::StatusOr<PendingStitch::Joined> joined) { HandleJoined(std::move(joined)); });
}

// The same once more, without waiting: what was tried needed a connection at the other end too.
void ConsumerCall::TryOverStream() {
  way_ = Way::kStream;
  stream_.reset();
  TryOpen();
}

void ConsumerCall::TryNow() {
  if (driver_ != nullptr || !timer_.is_set()) return;
  timer_.Cancel();
  TryOpen();
}

void ConsumerCall::HandleDead(size_t broker, const std::string& why) {
  if ((stream_ == nullptr && !joining_) || attempt_ != broker) return;
  HandleFailedTry(absl::UnavailableError(why), Again::kYes);
}

void ConsumerCall::OnMessage(Bytes message) {
  pb::ConnectResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    FailOpening(ErrorStatus(ErrorCode::kProtocol, "message from the broker does not parse"));
  } else if (response.has_open_response()) {
    HandleOpened(response.open_response());
  } else if (response.has_channel_open_error()) {
    HandleOpenError(response.channel_open_error());
  } else {
    stream_->Read();
  }
}

void ConsumerCall::HandleOpenError(const pb::ConnectResponse::ChannelOpenError& error) {
  const ErrorCode code = ErrorCodeFromNumber(static_cast<uint32_t>(error.code()));
  const Duration retry_after = std::chrono::milliseconds(error.retry_after_ms());
  // A quota: it is the same over streams.
  const bool for_now = code == ErrorCode::kLimit && retry_after > Duration::zero();
  // Over a stream every answer has its status, and what is final is said there.
  if (joining_ && !for_now) {
    TryOverStream();
    return;
  }
  HandleFailedTry(ErrorStatus(code, error.message()),
                  for_now || WorthRetrying(code) ? Again::kYes : Again::kNo, retry_after);
}

// Before the two ends have met it is an answer to the opening, and counts as one.
void ConsumerCall::Cut(const absl::Status& why) {
  if (joining_ || parted_) {
    HandleFailedTry(why, WorthRetrying(ErrorCodeOf(why)) ? Again::kYes : Again::kNo);
  } else if (resume_) {
    resume_->Cut(why);
  }
}

void ConsumerCall::OnEnd(absl::Status status) {
  if (joining_) {
    TryOverStream();  // the control stream is gone, which says little of others
    return;
  }
  const absl::Status why = OpeningFailure(status, core_.brokers().AddressForAttempt(attempt_));
  // Without a code of the tunnel's it is gRPC's own.
  if (why == absl::UnavailableError(why.message())) {
    core_.broker_use().NoteLost(core_.brokers().AddressForAttempt(attempt_), core_.loop().Now());
  }
  // The broker cannot be reached, is going away, or has too much under way.
  const bool again = absl::IsUnavailable(why) || WorthRetrying(ErrorCodeOf(why));
  HandleFailedTry(why, again ? Again::kYes : Again::kNo);
}

void ConsumerCall::HandleFailedTry(const absl::Status& why, Again again, Duration retry_after) {
  // A provider registers with one broker of several: it is unknown once all have said so.
  const bool unknown = ErrorCodeOf(why) == ErrorCode::kUnknownProvider;
  unknown_at_ = unknown ? unknown_at_ + 1 : 0;
  const bool another_may_know = unknown && unknown_at_ < core_.brokers().size();
  if (again == Again::kYes || another_may_know) {
    Retry(why, retry_after);
  } else {
    FailOpening(why);
  }
}

void ConsumerCall::Retry(const absl::Status& why, Duration retry_after) {
  // Who would wait in vain hears of it at once.
  const bool too_late = retry_after > Duration::zero() &&
                        MonotonicNow() + retry_after >= started_ + request_.open_timeout;
  if (last_try_ || too_late) {
    FailOpening(why);
    return;
  }
  stream_.reset();
  joining_.reset();
  last_failure_ = why;
  core_.connectivity().NoteFailedTry();
  attempt_ = core_.brokers().After(attempt_);
  const Duration wait = std::max(backoff_.Next(), retry_after);
  CULVERT_LOG(kDebug, "{}: opening failed, next try in {:.2f} s: {}", Printable(request_.provider),
              ToSeconds(wait), Printable(MessageOf(why)));
  timer_.Start(wait, [this] { TryOpen(); });
}

void ConsumerCall::FailOpening(const absl::Status& why) {
  if (outlet_ == nullptr) return;
  timer_.Cancel();
  stream_.reset();
  joining_.reset();
  EndUnopened(why);
  owner_.OnCallDone(*this);
}

void ConsumerCall::EndUnopened(const absl::Status& why) {
  LeaveOpening();
  outlet_->Close(why);
  core_.loop().Post([owned = std::move(outlet_)] {});  // it may be what called us
  std::move(on_end_)(FailedOpening(/*channel_id=*/0, why, started_));
}

}  // namespace culvert
