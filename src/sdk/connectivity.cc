#include "sdk/connectivity.h"

#include <algorithm>
#include <utility>

namespace culvert {
namespace {

constexpr Duration kMinWait = std::chrono::milliseconds(50);
constexpr Duration kMaxWait = std::chrono::seconds(5);

}  // namespace

Connectivity::Connectivity(net::EventLoop& loop, BrokerList& brokers)
    : loop_(loop), brokers_(brokers) {}

Connectivity::~Connectivity() = default;

Connectivity::Subscription::Subscription(Connectivity& owner, Callbacks callbacks)
    : owner_(owner), callbacks_(std::move(callbacks)) {
  owner_.subscriptions_.push_back(this);
}

Connectivity::Subscription::~Subscription() { owner_.subscriptions_.remove(this); }

Duration Connectivity::RetryWait(Duration away) {
  const Duration cap = std::clamp(away / 40, kMinWait, kMaxWait);
  return Duration(absl::Uniform<Duration::rep>(absl::IntervalClosed, random_, cap.count() / 2,
                                               cap.count()));
}

}  // namespace culvert
