// One try of a consumer's channel to get a path, and what may come of it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/consumer_resume.h"
#include "sdk/opening.h"
#include "sdk/resume_verdict.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

// No longer than this at a broker's word.
constexpr Duration kMostRetryAfter = std::chrono::seconds(60);

// One that a newer broker knows is a code all the same.
ErrorCode CodeOf(const pb::ConnectResponse::ChannelOpenError& error) {
  const ErrorCode code = ErrorCodeFromNumber(static_cast<uint32_t>(error.code()));
  const bool unknown = code == ErrorCode::kUnspecified && error.code() != 0;
  return unknown ? ErrorCode::kInternal : code;
}

}  // namespace

void ConsumerResume::Try() {
  error_.reset();
  tried_at_ = MonotonicNow();
  pb::ConnectRequest request;
  auto& resume = *request.mutable_resume_request();
  SetIdentity(core_.options(), resume);
  resume.set_provider_name(provider_);
  resume.set_session_id(session_id_);
  resume.set_channel_id(driver_.channel().id());
  resume.set_last_message_id(driver_.channel().last_received_id());
  resume.set_caps(OwnCapabilities(core_));
  resume.set_ticket(ticket_);
  resume.set_attempt(++attempt_);
  resume.set_window(driver_.channel().window());
  stream_ = StartTry();
  stream_->SetDelegate(this);
  stream_->Write(rpc::FrameOf(request));
  stream_->Read();
  timer_.Start(kAnswerTime, [this] {
    HandleFailedTry(absl::UnavailableError("no answer to the resume"), Duration::zero());
  });
}

std::unique_ptr<rpc::Stream> ConsumerResume::StartTry() {
  joining_.reset();
  connection_.reset();
  broker_ = core_.brokers().Current(broker_);
  rpc::Connection& connection = core_.brokers().ForAttempt(broker_);
  generation_ = connection.generation();
  if (may_stitch_) core_.attachment().WantStitched(broker_);
  // Until both ends have the key of the channel they cannot show it to each other.
  const bool may_stitch = may_stitch_ && !driver_.is_securing();
  if (std::exchange(way_, Way::kBest) == Way::kBest && may_stitch) {
    if (std::optional<StitchedOpenings::Try> stitched =
            core_.attachment().TryStitched(broker_, provider_)) {
      connection_ = std::move(stitched->connection);
      return std::move(stitched->call);
    }
  }
  return connection.Start(rpc::Method::kConnect);
}

// --- what may come of a try ---

void ConsumerResume::OnMessage(Bytes message) {
  pb::ConnectResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    HandleFailedTry(absl::InternalError("message from the broker does not parse"),
                    Duration::zero());
    return;
  }
  if (response.has_resume_response()) {
    HandleResumed(response.resume_response());
    return;
  }
  // The status that follows says whether it is final.
  if (response.has_channel_open_error()) error_ = response.channel_open_error();
  if (response.has_notice()) HandleNotice(response.notice());
  if (stream_ != nullptr) stream_->Read();
}

void ConsumerResume::HandleResumed(const pb::ConnectResponse::ResumeResponse& resumed) {
  if (resumed.channel_id() != driver_.channel().id() || resumed.attempt() != attempt_) {
    HandleFailedTry(absl::InternalError("the broker resumed something else"), Duration::zero());
    return;
  }
  if (!resumed.ticket().empty()) ticket_ = resumed.ticket();
  if (connection_ != nullptr) {
    Join();
    return;
  }
  std::unique_ptr<rpc::Stream> stream = std::move(stream_);
  GoOn(MakePath(std::move(stream)), resumed.last_message_id(), resumed.window());
}

void ConsumerResume::GoOn(std::unique_ptr<tunnel::Path> path, uint64_t last_id, uint64_t window) {
  StopTrying();
  path_broker_ = broker_;
  core_.attachment().Use(broker_);
  path_since_ = MonotonicNow();
  core_.broker_use().NoteReached(core_.brokers().AddressForAttempt(broker_), path_since_);
  driver_.Resume(attempt_, std::move(path), last_id, window);
}

void ConsumerResume::OnEnd(absl::Status status) {
  if (connection_ == nullptr) {
    HandleRefusal(status);
  } else if (moving_) {
    StayOnStream();
  } else {
    TryOverStream();  // whose answer counts: it is the one that says what is final
  }
}

// What the broker said, or else how its stream ended.
absl::Status ConsumerResume::FailureOf(const absl::Status& status) const {
  if (!error_) return ExplainStreamEnd(status, core_.brokers().AddressForAttempt(broker_));
  return MakeStatus(status.ok() ? absl::StatusCode::kUnavailable : status.code(),
                    error_->message());
}

void ConsumerResume::HandleRefusal(const absl::Status& status) {
  const absl::Status why = FailureOf(status);
  const ErrorCode code = error_ ? CodeOf(*error_) : ErrorCode::kUnspecified;
  const uint64_t last_id = error_ ? error_->last_message_id() : 0;
  const Duration retry_after =
      std::chrono::milliseconds(error_ ? error_->retry_after_ms() : uint32_t{0});
  const ResumeVerdict verdict = JudgeResume(code, status.code());
  if (verdict == ResumeVerdict::kEnded) {
    StopTrying();
    driver_.OnPeerEnded(code, last_id);
  } else if (verdict == ResumeVerdict::kFinal ||
             (verdict == ResumeVerdict::kRefused && IsRefusedByAll(status.code()))) {
    GiveUp(code, fmt::format("not resumed: {}", MessageOf(why)));
  } else {
    if (verdict == ResumeVerdict::kRetry && error_) asked_->NoteAnswered(broker_);
    HandleFailedTry(why, retry_after);
  }
}

// The broker that made the ticket knows best; where a provider is registered, each knows for itself
// only.
bool ConsumerResume::IsRefusedByAll(absl::StatusCode status) {
  asked_->NoteRefused(broker_);
  const bool by_own = broker_ == path_broker_;
  return (by_own && status != absl::StatusCode::kNotFound) ||
         !asked_->IsAnyLeft(core_.brokers().listed(), MonotonicNow());
}

void ConsumerResume::HandleFailedTry(const absl::Status& why, Duration retry_after) {
  stream_.reset();
  if (moving_) {
    StayOnStream();
    return;
  }
  last_failure_ = why;
  if (!error_) asked_->NoteUnreachable(broker_, MonotonicNow());
  // Without a code of the tunnel's it is gRPC's own.
  if (why == absl::UnavailableError(why.message())) {
    core_.broker_use().NoteLost(core_.brokers().AddressForAttempt(broker_), MonotonicNow());
  }
  const Duration wait =
      std::max(core_.connectivity().RetryWaitAfter(broker_, MonotonicNow() - lost_at_),
               std::min(retry_after, kMostRetryAfter));
  broker_ = core_.brokers().After(broker_);
  not_before_ = MonotonicNow() + std::min(retry_after, kMostRetryAfter);
  CULVERT_LOG(kDebug, "[channel {:x}] attempt {} failed, the next in {:.2f} s: {}",
              driver_.channel().id(), attempt_, ToSeconds(wait), Printable(MessageOf(why)));
  TryAfter(wait);
}

}  // namespace culvert
