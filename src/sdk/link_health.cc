#include "sdk/link_health.h"

#include <fmt/format.h>

#include <utility>

namespace culvert {
namespace {

// A Check that comes this much too late: the process, or the machine, stood still itself.
constexpr Duration kOverslept = std::chrono::seconds(1);
// How long a broker is remembered as slow.
constexpr Duration kForgetSlow = std::chrono::minutes(5);
// Four round trips of the kernel's own measure are no reason to suspect anything.
constexpr int kRoundTrips = 4;

}  // namespace

void LinkHealth::Reset(MonotonicTime now) {
  state_ = State::kTrusted;
  urgent_ = false;
  wrote_at_.reset();
  pending_since_.reset();
  floor_ = pinged_at_ = asked_at_ = now;
  heard_then_ = heard_at_ping_ = 0;
  probed_at_.reset();
  verdict_at_.reset();
  next_check_.reset();
  if (given_up_unanswered_ && now - *given_up_unanswered_ > kForgetSlow) {
    given_up_unanswered_.reset();
    answer_time_ = kAnswerTime;
  }
}

void LinkHealth::OnProbeConnected(const Probe& probe) {
  if (state_ != State::kSuspected || probe.begun < asked_at_) return;
  const MonotonicTime now = probe.begun + probe.took;
  if (!probed_at_) probed_at_ = now;
  const Duration not_much_slower = probe.usual * 3 / 2;
  outage_over_ |= probe.was_away && probe.took <= std::max(Duration(kQuick), not_much_slower);
  settle_time_ = std::max(Duration(kSettleTime), probe.usual);
  const Duration most = std::max(Duration(kMaxSettleTime), not_much_slower);
  const MonotonicTime verdict = now + std::clamp(2 * probe.took, Duration(kSettleTime), most);
  verdict_at_ = verdict_at_ ? std::min(*verdict_at_, verdict) : verdict;
}

LinkHealth::Action LinkHealth::Check(const Evidence& evidence, MonotonicTime now) {
  NoteWakeUp(now);
  FollowTcp(evidence);
  const bool answered = evidence.heard > heard_then_ && !IsStalled(evidence);
  if (state_ != State::kTrusted && answered) Trust(evidence);
  Action action = Action::kNone;
  if (state_ == State::kTrusted) action = CheckTrusted(evidence, now);
  if (state_ == State::kPinged) CheckPinged(evidence, now);
  if (state_ == State::kSuspected && action == Action::kNone) {
    action = CheckSuspected(evidence, now);
  }
  const bool silent = state_ != State::kTrusted && now - QuietSince(evidence) >= kSilence;
  if (evidence.can_ping && silent && action != Action::kGiveUp) {
    action = GiveUp(fmt::format("silent for {:.0f} s", ToSeconds(now - QuietSince(evidence))));
  }
  PlanNext(evidence, now);
  return action;
}

MonotonicTime LinkHealth::QuietSince(const Evidence& evidence) const {
  return std::max(evidence.last_heard, floor_);
}

// What came in the meantime may not have been read yet.
void LinkHealth::NoteWakeUp(MonotonicTime now) {
  if (!next_check_ || now < *next_check_ + kOverslept) return;
  floor_ = now;
  if (pending_since_) pending_since_ = now;
  if (state_ == State::kTrusted) {
    urgent_ = true;
    return;
  }
  asked_at_ = pinged_at_ = now;
  probed_at_.reset();
  verdict_at_.reset();
}

void LinkHealth::FollowTcp(const Evidence& evidence) {
  const std::optional<MonotonicTime> wrote_at = std::exchange(wrote_at_, std::nullopt);
  if (!evidence.tcp || !evidence.tcp->unacknowledged) {
    pending_since_.reset();
    return;
  }
  if (!pending_since_) pending_since_ = wrote_at;
  if (pending_since_) pending_since_ = std::max(*pending_since_, evidence.tcp->last_ack);
}

std::optional<Duration> LinkHealth::StuckFor(MonotonicTime now) const {
  if (!pending_since_) return std::nullopt;
  return now - *pending_since_;
}

void LinkHealth::Trust(const Evidence& evidence) {
  state_ = State::kTrusted;
  probed_at_.reset();
  verdict_at_.reset();
  heard_then_ = evidence.heard;
}

void LinkHealth::Suspect(MonotonicTime now, bool unanswered) {
  state_ = State::kSuspected;
  asked_at_ = now;
  outage_over_ = false;
  unanswered_ = unanswered;
}

bool LinkHealth::IsPingDue(const Evidence& evidence, MonotonicTime now) const {
  if (!evidence.can_ping) return false;
  if (urgent_) return true;
  // More came than the answer to the last one.
  const bool traffic = evidence.heard > heard_at_ping_ + 1;
  const MonotonicTime quiet_since = std::max(QuietSince(evidence), pinged_at_);
  return now - quiet_since >= (traffic ? kPingAfterTraffic : kPingAfter);
}

LinkHealth::Action LinkHealth::CheckTrusted(const Evidence& evidence, MonotonicTime now) {
  const Duration round_trips = evidence.tcp ? kRoundTrips * evidence.tcp->round_trip : Duration{};
  if (IsStalled(evidence) || StuckFor(now) >= std::max(kAckTime, round_trips)) {
    heard_then_ = evidence.heard;
    Suspect(now, /*unanswered=*/false);
    return Action::kNone;
  }
  if (!IsPingDue(evidence, now)) return Action::kNone;
  urgent_ = false;
  state_ = State::kPinged;
  pinged_at_ = asked_at_ = now;
  heard_then_ = heard_at_ping_ = evidence.heard;
  return Action::kPing;
}

void LinkHealth::CheckPinged(const Evidence& evidence, MonotonicTime now) {
  const Duration waited = now - asked_at_;
  const Duration round_trips = evidence.tcp ? kRoundTrips * evidence.tcp->round_trip : Duration{};
  const Duration ack_time = std::max(kPingAckTime, round_trips);
  const bool stuck = StuckFor(now) >= std::max(Duration(kAckTime), round_trips);  // from before
  if (stuck || (waited >= ack_time && StuckFor(now) >= ack_time)) {
    Suspect(now, /*unanswered=*/false);
  } else if (waited >= std::max(answer_time_, round_trips)) {
    Suspect(now, /*unanswered=*/!pending_since_);
  }
}

LinkHealth::Action LinkHealth::CheckSuspected(const Evidence& evidence, MonotonicTime now) {
  if (!verdict_at_ || now < *verdict_at_) return Action::kNone;
  if (HasMoved(evidence)) {
    probed_at_ = now;
    verdict_at_ = now + settle_time_;
    return Action::kNone;
  }
  if (unanswered_) {
    answer_time_ = std::min(answer_time_ * 2, Duration(kMaxAnswerTime));
    given_up_unanswered_ = now;
  }
  return GiveUp(fmt::format("silent for {:.1f} s, and takes new connections",
                            ToSeconds(now - QuietSince(evidence))));
}

// On a slow line the answer may wait behind what else there is to send, or to receive.
bool LinkHealth::HasMoved(const Evidence& evidence) const {
  if (!evidence.tcp || evidence.tcp->stalled) return false;
  if (evidence.tcp->last_data > *probed_at_) return true;
  return !outage_over_ && evidence.tcp->outstanding && evidence.tcp->last_ack > *probed_at_;
}

LinkHealth::Action LinkHealth::GiveUp(std::string why) {
  why_ = std::move(why);
  return Action::kGiveUp;
}

void LinkHealth::PlanNext(const Evidence& evidence, MonotonicTime now) {
  next_check_.reset();
  const auto at_latest = [this](MonotonicTime time) {
    next_check_ = next_check_ ? std::min(*next_check_, time) : time;
  };
  if (state_ != State::kTrusted) at_latest(now + kCheckWhileWaiting);
  if (evidence.tcp && evidence.tcp->outstanding) at_latest(now + kCheckWhileOutstanding);
  if (!evidence.can_ping) return;
  const bool traffic = evidence.heard > heard_at_ping_ + 1;
  const MonotonicTime quiet_since = std::max(QuietSince(evidence), pinged_at_);
  at_latest(std::max(quiet_since + (traffic ? kPingAfterTraffic : kPingAfter),
                     now + Duration(1'000'000)));
}

}  // namespace culvert
