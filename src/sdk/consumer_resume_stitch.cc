// A consumer's channel on its way to a stitched path: a resume like any other, which a channel that
// has a path survives when nothing comes of it.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "sdk/consumer_resume.h"
#include "sdk/opening.h"

namespace culvert {

bool ConsumerResume::MayStitchWith(ClientCore& core,
                                   const ntt::proxies::v1::ConnectResponse::OpenResponse& opened) {
  const bool clear = core.end_to_end() == nullptr || (opened.caps() & tunnel::kCapClearData) != 0;
  return (opened.caps() & tunnel::kCapStitched) != 0 && MayStitch(core) &&
         (Encrypts(core) || clear);
}

// The broker has joined the connection with one of the provider's. The two ends say to each other
// what they have received.
void ConsumerResume::Join() {
  timer_.Cancel();
  stream_.reset();
  PendingStitch::Meeting meeting;
  meeting.own_role = stitch::HelloRole::kConsumer;
  meeting.channel_id = driver_.channel().id();
  meeting.attempt = attempt_;
  meeting.last_id = driver_.channel().last_received_id();
  meeting.window = driver_.channel().window();
  meeting.resume_timeout_s = ResumeSeconds(core_.options());
  meeting.key = key_.get();
  joining_.emplace(
      core_.loop(), std::move(connection_), meeting, PendingStitch::kLimit,
      [this](absl::StatusOr<PendingStitch::Joined> joined) { HandleJoined(std::move(joined)); });
}

void ConsumerResume::HandleJoined(absl::StatusOr<PendingStitch::Joined> joined) {
  joining_.reset();
  if (joined.ok()) {
    GoOn(TakePath(std::move(joined->path)), joined->last_id, joined->window);
    return;
  }
  if (absl::IsDeadlineExceeded(joined.status())) {
    core_.attachment().stitched().NoteNotJoined(provider_);
  }
  CULVERT_LOG(kDebug, "[channel {:x}] attempt {}: {}", driver_.channel().id(), attempt_,
              Printable(MessageOf(joined.status())));
  moving_ ? StayOnStream() : TryOverStream();
}

// --- from streams to a stitched path ---

// Sooner if it carries much: looks once early, then when it is old enough.
void ConsumerResume::AwaitMove() {
  if (!may_stitch_ || !can_resume()) return;
  move_timer_.Start(move_after_, [this] {
    const bool early = move_after_ == kEarlyMoveTime;
    const uint64_t carried = driver_.channel().bytes_sent() + driver_.channel().bytes_delivered();
    if (early && carried < kEarlyMoveBytes) {
      move_after_ = kMoveTime;
      AwaitMove();
    } else if (MayMove()) {
      MoveToStitched();
    } else {
      StayOnStream();
    }
  });
}

bool ConsumerResume::MayMove() const {
  return !place_ && !move_.is_set() && can_resume() && may_stitch_ && driver_.is_open() &&
         core_.brokers().IsListed(path_broker_) &&
         core_.attachment().CanStitch(path_broker_, provider_);
}

void ConsumerResume::MoveToStitched() {
  moving_ = true;
  broker_ = path_broker_;
  way_ = Way::kBest;
  Try();
}

// Or without a path, if that has gone meanwhile.
void ConsumerResume::StayOnStream() {
  timer_.Cancel();
  stream_.reset();
  connection_.reset();
  joining_.reset();
  moving_ = false;
  if (place_) {
    TryOverStream();
    return;
  }
  core_.attachment().WantStitched(path_broker_);
  move_after_ = std::clamp<Duration>(2 * move_after_, kMoveTime, kMaxMoveTime);
  AwaitMove();
}

void ConsumerResume::TryOverStream() {
  way_ = Way::kStream;
  Try();
}

}  // namespace culvert
