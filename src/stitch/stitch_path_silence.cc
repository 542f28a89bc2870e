// How a StitchPath finds out that its connection is dead.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "stitch/stitch_path.h"

namespace culvert::stitch {

void StitchPath::StartSilence(Duration step) {
  timer_.Start(step, [this, step] { HandleSilence(step); });
}

// Silence is counted in steps after each of which the loop has run, not by the clock: a process
// that was stopped for a while finds what came meanwhile before it gives the path up.
void StitchPath::HandleSilence(Duration step) {
  if (held_) heard_at_ = loop_.Now();  // nobody listens
  if (heard_at_ > silent_from_) {
    silent_from_ = heard_at_;
    silence_ = busy_silence_ = Duration::zero();
    StartSilence(std::max(Duration::zero(), heard_at_ + times_.ping - loop_.Now()));
    return;
  }
  silence_ = std::max(silence_ + step, times_.ping);
  busy_silence_ = std::min(std::max(busy_silence_ + step, times_.ping), silence_);
  const Duration silence = idle_ ? silence_ : busy_silence_;
  const Duration limit = idle_ ? times_.idle_loss : times_.loss;
  if (silence >= limit) {
    End(Lost(fmt::format("the peer is silent for {:.0f} s", ToSeconds(silence_))));
    return;
  }
  if (!idle_ || silence >= times_.idle_ping) AskForAnswer();
  StartSilence(std::min(times_.ping, limit - silence));
}

void StitchPath::AskForAnswer() {
  if (state_ == State::kUp) AppendControl(FrameType::kPing, {});
}

bool StitchPath::IsStalled() const {
  if (stream_ == nullptr) return false;
  const std::optional<net::TcpProgress> progress = stream_->Progress();
  return (progress && progress->stalled) || stream_->HasLostItsAddress();
}

void StitchPath::LookAgain(Duration wait) {
  look_.Start(wait, [this] { LookAtTcp(); });
}

// Not after each write, and not once all has arrived: a path at rest has no such timer. What it
// tells may destroy it.
void StitchPath::LookAtTcp() {
  const std::optional<net::TcpProgress> progress = stream_->Progress();
  if (!progress || !progress->outstanding) {
    stalled_since_.reset();
    return;
  }
  const MonotonicTime now = loop_.Now();
  stalled_since_ =
      progress->stalled ? stalled_since_.value_or(now) : std::optional<MonotonicTime>();
  if (stalled_since_ && now - *stalled_since_ >= times_.stall) {
    End(Lost("TCP gets nothing through"));
    return;
  }
  LookAgain(times_.look);
  const bool told = std::exchange(told_doubt_, progress->slow);
  if (progress->slow && !told) delegate_->OnPathDoubtful();
}

}  // namespace culvert::stitch
