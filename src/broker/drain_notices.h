// Whom a broker that is about to stop tells so, not all at once.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "culvert/v1/extensions.pb.h"
#include "net/event_loop.h"
#include "net/timer.h"

namespace culvert::broker {

// All at once: the broker names no others, so that who knows but this one leaves at once and comes
// back to what takes its place; who knows others spreads its move itself. Confined to the loop;
// destroy = tell nobody any more.
class DrainNotices {
 public:
  // In one turn of the loop.
  static constexpr size_t kAtOnce = 256;

  // Tells one of them; whoever is not there any more is not told.
  using Tell = absl::AnyInvocable<void(const culvert::v1::Notice&) &&>;

  explicit DrainNotices(net::EventLoop& loop) : loop_(loop), timer_(loop) {}

  // Once. `grace` is what they have left; the first are told in the next turn.
  void Start(std::vector<Tell> whom, Duration grace);
  // What to tell whom at this moment.
  culvert::v1::Notice Now() const;

 private:
  void TellSome();

  net::EventLoop& loop_;
  net::Timer timer_;
  std::vector<Tell> whom_;
  size_t told_ = 0;
  MonotonicTime deadline_;
};

}  // namespace culvert::broker
