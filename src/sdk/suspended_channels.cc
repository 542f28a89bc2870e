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
  channels_.places_.push_back(this);
  if (channels_.budget_.under_pressure()) channels_.relieve_.Schedule();
}

SuspendedChannels::Place::~Place() { channels_.places_.remove(this); }

void SuspendedChannels::Relieve() {
  while (budget_.under_pressure() && !places_.empty()) {
    const std::function<void()> give_up = places_.front()->give_up_;
    places_.pop_front();
    give_up();
  }
}

}  // namespace culvert
