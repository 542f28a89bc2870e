#include "broker/departures.h"

#include <algorithm>
#include <utility>

namespace culvert::broker {
namespace {

// A Judge that comes this much too late: the broker stood still, and may not have read yet who is
// back.
constexpr Duration kOverslept = std::chrono::seconds(1);

}  // namespace

std::shared_ptr<Departures::Endpoint> Departures::Enter(const std::string& endpoint,
                                                        MonotonicTime now) {
  ForgetClosed(now);
  std::shared_ptr<Endpoint>& place = endpoints_[endpoint];
  if (place == nullptr) place.reset(new Endpoint(*this, endpoint, now));
  ++place->streams_;
  place->heard_ = now;
  NoteSign(now, now);  // it was begun not long ago
  return place;
}

void Departures::NoteSign(MonotonicTime lost_before, MonotonicTime now) {
  for (; signs_ < due_.size() && due_[signs_].lost < lost_before; ++signs_) {
    Due& due = due_[signs_];
    due.at = std::max(due.lost + times_.return_time, now + times_.settle);
  }
}

void Departures::Leave(const std::shared_ptr<Endpoint>& endpoint, MonotonicTime now) {
  if (--endpoint->streams_ > 0) return;
  endpoint->closed_ = now;
  closed_.emplace_back(now, endpoint);
  if (endpoint->at_stake_) CountClosing(now);
}

void Departures::ForgetClosed(MonotonicTime now) {
  while (!closed_.empty() && now - closed_.front().first > times_.return_time) {
    const Endpoint& endpoint = *closed_.front().second;
    const bool since = endpoint.streams_ == 0 && endpoint.closed_ == closed_.front().first;
    if (since) endpoints_.erase(endpoint.name_);
    closed_.pop_front();
  }
}

void Departures::UserLost(const std::string& endpoint, uint64_t session_id, uint64_t channel_id,
                          MonotonicTime now, AuditEvent who) {
  Lost(endpoint, {session_id, channel_id, std::move(who)}, now);
}

void Departures::AgentLost(const std::string& endpoint, uint64_t session_id, MonotonicTime now,
                           AuditEvent who, size_t channels) {
  Lost(endpoint, {session_id, 0, std::move(who), channels}, now);
}

void Departures::Lost(const std::string& endpoint, Gone what, MonotonicTime now) {
  const auto found = endpoints_.find(endpoint);
  if (stopped_ || now - born_ < times_.young || found == endpoints_.end()) return;
  const std::shared_ptr<Endpoint>& at = found->second;
  // The stream may have been the last one, and have left before its owner tells what it was.
  if (!std::exchange(at->at_stake_, true) && at->streams_ == 0) CountClosing(now);
  const uint64_t id = what.channel_id != 0 ? what.channel_id : what.session_id;
  if (const auto before = waiting_.find(id); before != waiting_.end()) {
    what.channels += before->second.what.channels;
  }
  waiting_.insert_or_assign(id, Waiting{std::move(what), at, now, ++losses_});
  due_.push_back({now + times_.return_time, now, id, losses_});
}

void Departures::CountClosing(MonotonicTime now) {
  closings_.push_back(now);
  if (closings_.size() <= kMostAtOnce) return;
  if (closings_.size() > kMostAtOnce + 1) closings_.pop_front();
  if (now - closings_.front() <= times_.return_time) many_ = now;
}

bool Departures::HasClosed(const Waiting& waiting) const {
  const Endpoint& endpoint = *waiting.endpoint;
  // Those before the last of them are not judged yet.
  if (many_ && std::chrono::abs(endpoint.closed_ - *many_) <= times_.return_time) return false;
  return endpoint.streams_ == 0 && endpoint.closed_ - endpoint.heard_ < times_.fresh &&
         endpoint.closed_ - waiting.lost < kTogether;
}

std::optional<MonotonicTime> Departures::next_verdict() const {
  if (due_.empty()) return std::nullopt;
  return due_.front().at;
}

std::vector<Departures::Gone> Departures::Judge(MonotonicTime now) {
  std::vector<Gone> gone;
  if (!due_.empty() && now - due_.front().at > kOverslept) {
    for (Due& due : due_) due.at = now + times_.return_time;
  }
  for (size_t i = signs_; i < due_.size() && due_[i].at <= now; ++i) due_[i].at = now + kLookAgain;
  while (signs_ > 0 && due_.front().at <= now) {
    const Due due = due_.front();
    due_.pop_front();
    --signs_;
    const auto found = waiting_.find(due.id);
    if (found == waiting_.end() || found->second.number != due.number) continue;
    if (HasClosed(found->second)) gone.push_back(std::move(found->second.what));
    waiting_.erase(found);
  }
  return gone;
}

void Departures::Stop() {
  stopped_ = true;
  waiting_.clear();
  due_.clear();
  signs_ = 0;
}

}  // namespace culvert::broker
