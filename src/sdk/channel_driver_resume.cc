// ChannelDriver between two paths: what a loss means, and how the channel goes on.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "sdk/channel_driver.h"

namespace culvert {

using tunnel::Channel;

namespace {

constexpr Duration kQuickMove = std::chrono::seconds(1);

// The end of a path that no other path can make good.
std::optional<ErrorCode> FinalCode(const absl::Status& why, bool legacy) {
  // A legacy peer that left without Close. One of ours is superseded by its own new path.
  if (absl::IsAborted(why) && legacy) return ErrorCode::kReset;
  if (absl::IsPermissionDenied(why) || absl::IsUnauthenticated(why)) return ErrorCode::kDenied;
  // What came did not parse, or what we sent did not: the same bytes would again.
  if (absl::IsInvalidArgument(why)) return ErrorCode::kProtocol;
  return std::nullopt;
}

}  // namespace

void ChannelDriver::OnPathEnd(absl::Status why) {
  DropPath();
  if (const std::optional<ErrorCode> code = FinalCode(why, channel_.legacy())) {
    // A channel that cannot go on is reset at both ends, never ended as if it were complete.
    channel_.GiveUp(*code, std::string(MessageOf(why)));
  }
  AwaitPath(std::move(why));
}

void ChannelDriver::OnPathDoubtful() { owner_.OnPathDoubtful(*this); }

void ChannelDriver::Suspend(absl::Status why) {
  if (path_ == nullptr) return;
  DropPath();
  AwaitPath(std::move(why));
}

void ChannelDriver::SuspendUnlessHeard(absl::Status why) {
  if (path_ == nullptr) return;
  if (path_->IsStalled() || !path_->HeardSince(MonotonicNow() - kHeardTime)) {
    Suspend(std::move(why));
    return;
  }
  // What was heard may have been the last of it.
  Doubt(kHeardTime, std::move(why));
}

void ChannelDriver::SuspendUnlessAnswered(absl::Status why) {
  if (path_ == nullptr) return;
  if (path_->IsStalled()) {
    Suspend(std::move(why));
    return;
  }
  path_->AskForAnswer();
  // Not measured yet it may be long: the smallest that was seen on this path counts.
  const std::optional<Duration> round_trip = channel_.round_trip();
  const Duration answer = round_trip ? 4 * *round_trip : Duration(kMostAnswerTime);
  Doubt(std::clamp(answer, Duration(kLeastAnswerTime), Duration(kMostAnswerTime)), std::move(why));
}

// The path is left unless something comes within `time`. By the clock of the loop, which is the
// path's: it stands still within a turn.
void ChannelDriver::Doubt(Duration time, absl::Status why) {
  const MonotonicTime until = loop_.Now() + time;
  // A network that goes on changing puts nothing off.
  if (doubt_.is_set() && doubted_until_ <= until) return;
  doubted_until_ = until;
  doubt_.Start(time, [this, since = loop_.Now(), why = std::move(why)] {
    if (!path_->HeardSince(since)) Suspend(why);
  });
}

void ChannelDriver::DropPath() {
  doubt_.Cancel();
  path_.reset();
  channel_.Detach();
}

void ChannelDriver::AwaitPath(absl::Status why) {
  if (is_suspended()) {
    lost_ = std::move(why);
    lost_at_ = MonotonicNow();
    if (phase_ == Phase::kLingering) StartLinger();
    tell_lost_.Schedule();
  }
  Pump();
}

void ChannelDriver::TellLost() {
  if (!is_suspended()) return;
  owner_.OnPathLost(*this, lost_);
  if (!is_suspended() || phase_ > Phase::kOpen) return;
  if (absl::IsAborted(lost_)) {
    CULVERT_LOG(kDebug, "[channel {:x}] moves: {}", channel_.id(), Printable(MessageOf(lost_)));
  } else {
    CULVERT_LOG(kInfo, "[channel {:x}] path lost, resuming: {}", channel_.id(),
                Printable(MessageOf(lost_)));
  }
}

// A move that took no time is nothing to speak of.
void ChannelDriver::TellResumed(Duration away) const {
  const uint64_t replayed = (channel_.unacknowledged_bytes() + 1023) / 1024;
  if (absl::IsAborted(lost_) && away < kQuickMove) {
    CULVERT_LOG(kDebug, "[channel {:x}] moved, replayed {} KiB", channel_.id(), replayed);
  } else {
    CULVERT_LOG(kInfo, "[channel {:x}] resumed after {:.1f} s, replayed {} KiB", channel_.id(),
                ToSeconds(away), replayed);
  }
}

void ChannelDriver::Resume(uint32_t attempt, std::unique_ptr<tunnel::Path> path,
                           uint64_t peer_last_id, uint64_t peer_window) {
  if (attempt <= channel_.attempt()) return;
  const MonotonicTime now = MonotonicNow();
  if (path_ != nullptr) {  // replaced without a loss
    lost_at_ = now;
    lost_ = absl::AbortedError("replaced");
  }
  DropPath();
  if (!channel_.Attach(attempt, peer_last_id, peer_window, now).ok()) {
    Pump();  // it has ended meanwhile
    return;
  }
  path_ = std::move(path);
  ++resumes_;
  if (phase_ == Phase::kLingering) {
    StartLinger();
  } else if (channel_.state() != Channel::State::kAborting) {
    TellResumed(now - lost_at_);
  }
  Pump();
}

void ChannelDriver::GiveUp(ErrorCode code, std::string message) {
  DropPath();
  channel_.GiveUp(code, std::move(message));
  Pump();
}

void ChannelDriver::OnPeerEnded(ErrorCode code, uint64_t last_id) {
  DropPath();
  channel_.OnPeerEnded(code, last_id);
  Pump();
}

// From the end for the endpoint, the loss of a path after it, or the next path on.
void ChannelDriver::StartLinger() {
  const bool waits = is_suspended() && !channel_.legacy();
  linger_.Start(waits ? 3 * linger_time_ : linger_time_,
                [this] { GiveUp(ErrorCode::kPathLost, "the other end does not confirm the end"); });
}

}  // namespace culvert
