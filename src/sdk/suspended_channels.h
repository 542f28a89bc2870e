// The channels that wait for a path, and which of them goes when memory runs out.
#pragma once

#include <functional>
#include <list>

#include "net/deferred.h"
#include "net/event_loop.h"
#include "tunnel/memory_budget.h"

namespace culvert {

// Confined to the loop. They hold what they could not deliver, and nobody knows whether they ever
// will: under memory pressure the one that has waited longest is given up, then the next.
class SuspendedChannels {
 public:
  SuspendedChannels(net::EventLoop& loop, tunnel::MemoryBudget& budget);
  ~SuspendedChannels();
  SuspendedChannels(const SuspendedChannels&) = delete;
  SuspendedChannels& operator=(const SuspendedChannels&) = delete;

  // Of one channel, for as long as it is suspended.
  class Place {
   public:
    // `give_up` runs at most once, in a turn of its own, and may destroy the place.
    Place(SuspendedChannels& channels, std::function<void()> give_up);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    friend class SuspendedChannels;
    SuspendedChannels& channels_;
    const std::function<void()> give_up_;
    std::list<Place*>::iterator at_;  // the end: not in the list any more
  };

  size_t size() const { return places_.size(); }

 private:
  void Relieve();

  tunnel::MemoryBudget& budget_;
  std::list<Place*> places_;  // the oldest first
  net::Deferred relieve_;
};

}  // namespace culvert
