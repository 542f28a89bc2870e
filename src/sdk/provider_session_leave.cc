// How a ProviderSession leaves: a broker that stops for another one, or for good.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/provider_session.h"

namespace culvert {

// --- what the broker wants known ---

void ProviderSession::HandleNotice(const culvert::v1::Notice& notice) {
  if (notice.has_cut()) channels_.Cut(notice.cut());
  if (notice.has_drain() && state_ == State::kListening) HandleStopping(notice.drain());
  if (notice.has_retry_after() && state_ == State::kConnecting) {
    retry_after_ = std::min(Duration(std::chrono::milliseconds(notice.retry_after().ms())),
                            Duration(kMostRetryAfter));
  }
}

// All agents of a broker hear it at the same time: they go to another one after another, and from
// the only one at once.
void ProviderSession::HandleStopping(const culvert::v1::Notice::Drain& drain) {
  if (timer_.is_set()) return;  // said before
  const Duration time =
      std::min(Duration(std::chrono::milliseconds(drain.deadline_ms())), Duration(kMaxStopTime));
  const Duration wait(
      absl::Uniform<Duration::rep>(absl::IntervalClosed, random_, 0, time.count() / 4));
  next_ = core_.brokers().NextOf(attempt_, drain.brokers());
  const bool others = core_.brokers().size() > 1;
  timer_.Start(others ? wait : Duration::zero(), [this, time] { BeginLeaving(time / 4); });
}

// Services that are being started may still be accepted here, and nowhere else.
void ProviderSession::BeginLeaving(Duration limit) {
  SetState(State::kLeaving);
  timer_.Start(limit, [this] { Move(); });
  if (channels_.starting() == 0) Move();
}

void ProviderSession::Move() {
  core_.connectivity().Leave(attempt_, connection_);
  Lose(absl::UnavailableError(fmt::format("broker {} stops", address())));
}

// --- the end ---

void ProviderSession::OnChannelsChanged() {
  if (state_ == State::kLeaving && channels_.starting() == 0) Move();
  FollowDrain();
}

void ProviderSession::Retire(absl::AnyInvocable<void() &&> done) {
  Forget();
  Drain(std::move(done));
}

void ProviderSession::TakeBack() {
  taken_over_wait_ = kTakenOverWait;
  taken_back_ = core_.loop().Now();
  if (purpose_ == Purpose::kDraining) {
    purpose_ = Purpose::kServing;
    on_drained_ = nullptr;
    channels_.TakeAgain();
  }
  if (state_ != State::kConnecting && !is_listening()) Connect();
}

void ProviderSession::Abort(absl::AnyInvocable<void() &&> done) {
  Drain(std::move(done));
  channels_.AbortAll(ErrorStatus(ErrorCode::kShutdown, "the program is ending"));
  abort_timer_.Start(ClientCore::kAbortTime, [this] {
    if (on_drained_) std::exchange(on_drained_, nullptr)();
  });
}

void ProviderSession::Drain(absl::AnyInvocable<void() &&> done) {
  on_drained_ = std::move(done);
  purpose_ = Purpose::kDraining;
  channels_.StopTaking(ErrorStatus(ErrorCode::kShutdown, "the program is ending"));
}

// Whoever drains stays registered only while channels wait for a path: their consumers find them
// through the session.
void ProviderSession::FollowDrain() {
  if (purpose_ != Purpose::kDraining) return;
  const bool needed = channels_.suspended() > 0;
  if (!needed && state_ != State::kDrained) {
    SetState(State::kDrained);
    timer_.Cancel();
    ping_.reset();
    if (stream_ != nullptr) stream_->Finish(absl::OkStatus());
  } else if (needed && state_ == State::kDrained) {
    Connect();
  }
  if (channels_.empty() && on_drained_) core_.loop().Post(std::exchange(on_drained_, nullptr));
}

}  // namespace culvert
