#include "sdk/suspended_channels.h"

#include <utility>

namespace culvert {

SuspendedChannels::SuspendedChannels(net::EventLoop& loop, tunnel::MemoryBudget& budget)
    : budget_(budget), relieve_(loop, [this] { Relieve(); }) {
  budget_.SetPressureCallback([this] {
    if (!places_.empty()) relieve_.Schedule();
  });
}

SuspendedChannels::~SuspendedChannels() { budget_.SetPressureCallback(nullptr); }

SuspendedChannels::Place::Place(SuspendedChannels& channels, std::function<void()> give_up)
    : channels_(channels), give_up_(std::move(give_up)) {
  at_ = channels_.places_.insert(channels_.places_.end(), this);
  if (channels_.budget_.under_pressure()) channels_.relieve_.Schedule();
}

SuspendedChannels::Place::~Place() {
  if (at_ != channels_.places_.end()) channels_.places_.erase(at_);
}

void SuspendedChannels::Relieve() {
  while (budget_.under_pressure() && !places_.empty()) {
    Place& oldest = *places_.front();
    const std::function<void()> give_up = oldest.give_up_;
    oldest.at_ = places_.end();
    places_.pop_front();
    give_up();
  }
}

}  // namespace culvert
