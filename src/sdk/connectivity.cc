#include "sdk/connectivity.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace culvert {
namespace {

constexpr Duration kMinWait = std::chrono::milliseconds(50);
constexpr Duration kMaxWait = std::chrono::seconds(5);
// 100 ms with the shortest of RetryWait.
constexpr Duration kUnwanted = std::chrono::milliseconds(75);

}  // namespace

Connectivity::Connectivity(net::EventLoop& loop, BrokerList& brokers)
    : loop_(loop),
      brokers_(brokers),
      next_to_tell_(subscriptions_.end()),
      tell_(loop, [this] { Tell(); }),
      network_(loop, [this] { HandleNetworkChange(); }) {
  for (size_t broker = 0; broker < brokers.count(); ++broker) OnBrokerComes(broker);
  brokers_.SetObserver(this);
}

Connectivity::~Connectivity() { brokers_.SetObserver(nullptr); }

// --- which brokers there are ---

void Connectivity::OnBrokerGoes(size_t broker) {
  std::erase_if(events_, [&](const Event& event) { return event.dead == links_[broker].get(); });
  links_[broker].reset();
}

void Connectivity::OnBrokerComes(size_t broker) {
  if (broker >= links_.size()) links_.resize(broker + 1);
  links_[broker] = std::make_unique<BrokerLink>(loop_, brokers_.ForAttempt(broker),
                                                static_cast<BrokerLink::Owner&>(*this));
}

void Connectivity::OnOrderChanged() {
  ProbeWanted();
  if (waiting_ > 0) OnReachable();
}

// Whoever waits is not helped by a broker that is not listed any more.
void Connectivity::ProbeWanted() {
  for (size_t broker = 0; broker < links_.size(); ++broker) {
    links_[broker]->SetWaiting(waiting_ > 0 && brokers_.IsListed(broker));
  }
}

// --- who listens ---

Connectivity::Subscription::Subscription(Connectivity& owner, Callbacks callbacks)
    : owner_(owner),
      callbacks_(std::move(callbacks)),
      made_at_(owner.told_),
      at_(owner.subscriptions_.insert(owner.subscriptions_.end(), this)) {}

Connectivity::Subscription::~Subscription() {
  SetWaiting(false);
  if (owner_.next_to_tell_ == at_) ++owner_.next_to_tell_;
  owner_.subscriptions_.erase(at_);
}

void Connectivity::Subscription::SetWaiting(bool waiting) {
  if (waiting == waiting_) return;
  waiting_ = waiting;
  owner_.UpdateWaiting(waiting);
}

void Connectivity::UpdateWaiting(bool waiting) {
  const bool before = waiting_ > 0;
  waiting_ = waiting ? waiting_ + 1 : waiting_ - 1;
  if ((waiting_ > 0) == before) return;
  ProbeWanted();
}

Connectivity::ControlPing::ControlPing(Connectivity& owner, size_t broker,
                                       std::function<void()> send)
    : link_(*owner.links_[broker]), send_(std::move(send)) {
  link_.AddPing(&send_);
}

Connectivity::ControlPing::~ControlPing() { link_.RemovePing(&send_); }

// --- what is told ---

void Connectivity::OnReachable() {
  if (!events_.empty() && events_.back().dead == nullptr) return;
  events_.push_back({});
  tell_.Schedule();
}

void Connectivity::OnDead(BrokerLink& link, const std::string& why) {
  events_.push_back({&link, why});
  tell_.Schedule();
}

void Connectivity::HandleNetworkChange() {
  CULVERT_LOG(kDebug, "the network has changed");
  for (const auto& link : links_) link->HandleNetworkChange();
  OnReachable();
}

void Connectivity::Tell() {
  for (const Event& event : std::exchange(events_, {})) TellAll(event);
}

void Connectivity::TellAll(const Event& event) {
  ++told_;
  next_to_tell_ = subscriptions_.begin();
  // Those that are made meanwhile, at the end of the list, know already.
  while (next_to_tell_ != subscriptions_.end() && (*next_to_tell_)->made_at_ < told_) {
    const Subscription::Callbacks& callbacks = (*next_to_tell_++)->callbacks_;
    // Copies: the callback may destroy the subscription.
    if (event.dead != nullptr) {
      if (const auto on_dead = callbacks.on_dead) on_dead(IndexOf(event.dead), event.why);
    } else {
      if (const auto on_try_now = callbacks.on_try_now) on_try_now();
    }
  }
  next_to_tell_ = subscriptions_.end();
}

size_t Connectivity::IndexOf(const BrokerLink* link) const {
  const auto found = std::find_if(links_.begin(), links_.end(),
                                  [link](const auto& one) { return one.get() == link; });
  return static_cast<size_t>(found - links_.begin());
}

// --- waiting ---

Duration Connectivity::RetryWait(Duration away) {
  const Duration cap = std::clamp(away / 40, kMinWait, kMaxWait);
  return Duration(
      absl::Uniform<Duration::rep>(absl::IntervalClosed, random_, cap.count() / 2, cap.count()));
}

void Connectivity::NoteFailedTry() {
  for (size_t broker = 0; broker < links_.size(); ++broker) {
    if (brokers_.IsListed(broker) && links_[broker]->is_connected()) return;
  }
  if (on_no_broker_) on_no_broker_();
}

Duration Connectivity::RetryWaitAfter(size_t broker, Duration away) {
  NoteFailedTry();
  const bool reached = links_[broker]->is_connected();
  return RetryWait(away) + (reached ? kUnwanted : Duration::zero());
}

}  // namespace culvert
