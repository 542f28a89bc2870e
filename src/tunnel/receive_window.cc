#include "tunnel/receive_window.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace culvert::tunnel {

ReceiveWindow::ReceiveWindow(Peer peer, uint64_t initial_window)
    : peer_(peer), granted_(initial_window), reported_(initial_window), window_(initial_window) {}

ReceiveWindow::Verdict ReceiveWindow::Admit(uint64_t id) {
  if (id <= last_id_) return Verdict::kDuplicate;
  if (id > last_id_ + 1) return Verdict::kGap;
  last_id_ = id;
  return Verdict::kNew;
}

bool ReceiveWindow::WithinGrant(const Data& data) const {
  if (peer_ == Peer::kLegacy) return data.bytes.size() <= kMaxLegacyDataBytes;
  if (data.bytes.size() > kMaxDataBytes) return false;
  const uint64_t cost = CostOf(data);
  return cost == 0 || held() == 0 || received_ + cost <= granted_;
}

void ReceiveWindow::Hold(Data data, MonotonicTime now) {
  received_ += CostOf(data);
  if (rtt_mark_ && received_ > *rtt_mark_) {
    const Duration rtt = now - rtt_mark_at_;
    min_rtt_ = std::min(min_rtt_.value_or(rtt), rtt);
    rtt_mark_.reset();
  }
  held_.push_back(std::move(data));
}

const Data& ReceiveWindow::BeginTaking(MonotonicTime now) {
  CULVERT_CHECK(HasNext());
  taking_ = true;
  taking_since_ = now;
  if (!epoch_start_) {
    epoch_start_ = now;
    epoch_taken_ = taken_;
  }
  return held_.front();
}

void ReceiveWindow::Taken(MonotonicTime now, uint64_t share, bool may_grow) {
  CULVERT_CHECK(taking_ && !held_.empty());
  taking_ = false;
  const Data data = std::move(held_.front());
  held_.pop_front();
  taken_id_ = data.id;
  taken_ += CostOf(data);
  if (now - taking_since_ >= kStallTime) {
    window_ = std::min(window_, kStalledWindow);
    epoch_start_.reset();  // what was carried before says nothing any more
  }
  Grow(now, share, may_grow);
  granted_ = std::max(granted_, taken_ + std::min(window_, share));
  ScheduleAck(data, now);
}

void ReceiveWindow::Grow(MonotonicTime now, uint64_t share, bool may_grow) {
  const uint64_t carried = taken_ - epoch_taken_;
  // A path that is lost while a message is being taken has no epoch yet.
  if (!epoch_start_ || carried < window_) return;
  const Duration elapsed = now - *epoch_start_;
  epoch_start_.reset();
  const bool keeps_up = held() <= window_ / 2;
  if (!keeps_up || !may_grow || !min_rtt_) return;
  const double rate = static_cast<double>(carried) / std::max(ToSeconds(elapsed), 1e-6);
  const double most = static_cast<double>(std::min({2 * window_, kMaxWindow, share}));
  const auto wanted = static_cast<uint64_t>(std::min(2 * rate * ToSeconds(*min_rtt_), most));
  window_ = std::max(window_, wanted);
}

void ReceiveWindow::ScheduleAck(const Data& taken, MonotonicTime now) {
  // What the peer may still send without hearing from us; below half a window it might soon stop.
  const uint64_t left = reported_ > received_ ? reported_ - received_ : 0;
  const bool soon_blocked = peer_ == Peer::kCapable && left < window_ / 2 && granted_ > reported_;
  const bool quarter = peer_ == Peer::kCapable && taken_ - taken_reported_ >= window_ / 4;
  if (taken.ack_required || soon_blocked || quarter) {
    ack_due_ = AckDue::kNow;
  } else if (ack_due_ == AckDue::kNo) {
    ack_due_ = AckDue::kDelayed;
    ack_deadline_ = now + (peer_ == Peer::kLegacy ? kLegacyAckDelay : kAckDelay);
  }
}

void ReceiveWindow::Drop() {
  held_.clear();
  taking_ = false;
  received_ = taken_;
}

bool ReceiveWindow::AckIsDue(MonotonicTime now) const {
  return ack_due_ == AckDue::kNow || (ack_due_ == AckDue::kDelayed && now >= ack_deadline_);
}

std::optional<Ack> ReceiveWindow::TakeAck(MonotonicTime now) {
  if (!AckIsDue(now)) return std::nullopt;
  ack_due_ = AckDue::kNo;
  if (taken_id_ == 0) return std::nullopt;  // nothing yet, and no peer has sent an id 0
  acked_id_ = taken_id_;
  Ack ack{taken_id_, std::nullopt};
  if (peer_ == Peer::kCapable) {
    ack.window = granted_ - taken_;
    if (granted_ > reported_ && !rtt_mark_ && reported_ >= received_) {
      rtt_mark_ = reported_;
      rtt_mark_at_ = now;
    }
  }
  reported_ = granted_;
  taken_reported_ = taken_;
  return ack;
}

std::optional<MonotonicTime> ReceiveWindow::ack_deadline() const {
  if (ack_due_ != AckDue::kDelayed) return std::nullopt;
  return ack_deadline_;
}

void ReceiveWindow::OnNewPath() {
  min_rtt_.reset();
  rtt_mark_.reset();
  epoch_start_.reset();
  // The resume stated the whole grant. An Ack that repeats it starts no measurement: the answer to
  // the resume may arrive right behind it.
  reported_ = granted_;
  AckNow();
}

}  // namespace culvert::tunnel
