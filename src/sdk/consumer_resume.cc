#include "sdk/consumer_resume.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

Duration Agreed(Duration own, uint32_t seconds) {
  return std::min<Duration>(own, std::chrono::seconds(seconds));
}

}  // namespace

ConsumerResume::ConsumerResume(ClientCore& core, std::string provider,
                               const pb::ConnectResponse::OpenResponse& opened, size_t broker,
                               ChannelDriver& driver)
    : core_(core),
      provider_(std::move(provider)),
      session_id_(opened.session_id()),
      timeout_(Agreed(core.options().resume_timeout, opened.resume_timeout_s())),
      driver_(driver),
      ticket_(opened.ticket()),
      attempt_(1),
      path_broker_(broker),
      generation_(core.brokers().ForAttempt(broker).generation()),
      broker_(broker),
      path_since_(MonotonicNow()),
      may_stitch_(MayStitchWith(core, opened)),
      move_timer_(core.loop()),
      timer_(core.loop()),
      deadline_(core.loop()),
      move_(core.loop()),
      connectivity_(
          core.connectivity(),
          {.on_try_now = [this] { TryNow(); },
           .on_dead = [this](size_t dead, const std::string& why) { HandleDead(dead, why); }}) {}

ConsumerResume::~ConsumerResume() = default;

std::unique_ptr<tunnel::Path> ConsumerResume::MakePath(std::unique_ptr<rpc::Stream> stream) {
  auto path = std::make_unique<rpc::StreamPath>(
      std::move(stream), rpc::EnvelopeType::kConnectRequest, rpc::EnvelopeType::kConnectResponse,
      driver_.path_delegate());
  path->SetControlListener(this);
  kind_ = PathKind::kStream;
  AwaitMove();
  return path;
}

std::unique_ptr<tunnel::Path> ConsumerResume::TakePath(std::unique_ptr<stitch::StitchPath> path) {
  path->SetDelegate(driver_.path_delegate());
  kind_ = PathKind::kStitched;
  move_after_ = kEarlyMoveTime;
  return path;
}

// --- a loss ---

void ConsumerResume::OnPathLost(const absl::Status& why) {
  move_.Cancel();
  if (!can_resume()) {
    GiveUp(ErrorCode::kPathLost, std::string(MessageOf(why)));
    return;
  }
  lost_at_ = MonotonicNow();
  last_failure_ = why;
  asked_.emplace();
  place_.emplace(core_.suspended(), [this] {
    GiveUp(ErrorCode::kLimit, "memory is needed for channels that have a path");
  });
  deadline_.Start(timeout_, [this] {
    GiveUp(ErrorCode::kPathLost, fmt::format("not resumed within {:.1f} s: {}", ToSeconds(timeout_),
                                             MessageOf(last_failure_)));
  });
  connectivity_.SetWaiting(true);
  move_timer_.Cancel();
  if (moving_) {
    // The path went because another one is coming, or it was lost, and then that may take too long.
    if (!joining_) timer_.Start(kMoveAnswerTime, [this] { StayOnStream(); });
    return;
  }
  // Parked connections may have gone with a stitched path.
  way_ = is_stitched() ? Way::kStream : Way::kBest;
  // What loses one path after the other must not be tried as fast as the machine can.
  const bool steady = attempt_ == 1 || lost_at_ - path_since_ >= kSteadyTime;
  if (steady) {
    unsteady_.Reset();
    unsteady_paths_ = 0;
    Try();
  } else {
    TryAfter(UnsteadyWait());
  }
}

Duration ConsumerResume::UnsteadyWait() {
  const Duration wait = unsteady_.Next();
  return ++unsteady_paths_ > kManyUnsteady ? 10 * wait : wait;
}

void ConsumerResume::TryAfter(Duration wait) {
  timer_.Start(wait, [this] { Try(); });
}

// --- the end ---

void ConsumerResume::StopTrying() {
  stream_.reset();
  connection_.reset();
  joining_.reset();
  moving_ = false;
  timer_.Cancel();
  deadline_.Cancel();
  place_.reset();
  connectivity_.SetWaiting(false);
}

void ConsumerResume::Stop() {
  StopTrying();
  move_.Cancel();
  move_timer_.Cancel();
}

void ConsumerResume::Cut(const absl::Status& why) {
  GiveUp(ErrorCodeOf(why), std::string(MessageOf(why)));
}

void ConsumerResume::GiveUp(ErrorCode code, const std::string& message) {
  StopTrying();
  // A channel that was never open is opened again: nothing of the user's was in it.
  const bool fresh =
      driver_.is_securing() && (code == ErrorCode::kOutOfRange ||
                                code == ErrorCode::kUnknownChannel || code == ErrorCode::kOffline);
  driver_.GiveUp(fresh ? ErrorCode::kPathLost : code, message);
}

}  // namespace culvert
