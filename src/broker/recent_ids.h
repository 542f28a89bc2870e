// Which sessions or channels something has happened to not long ago.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_set>
#include <utility>

#include "base/clock.h"

namespace culvert::broker {

// Each id is kept for a time; the oldest goes first where there are too many. Confined to the
// control loop.
class RecentIds {
 public:
  RecentIds(Duration kept, size_t most) : kept_(kept), most_(most) {}

  // One that is here already keeps its time.
  void Add(uint64_t id, MonotonicTime now) {
    Expire(now);
    if (!ids_.insert(id).second) return;
    since_.emplace_back(now, id);
    if (ids_.size() > most_) ForgetOldest();
  }
  bool Has(uint64_t id, MonotonicTime now) {
    Expire(now);
    return ids_.contains(id);
  }
  size_t size() const { return ids_.size(); }

 private:
  void Expire(MonotonicTime now) {
    while (!since_.empty() && now - since_.front().first > kept_) ForgetOldest();
  }
  void ForgetOldest() {
    ids_.erase(since_.front().second);
    since_.pop_front();
  }

  const Duration kept_;
  const size_t most_;
  std::unordered_set<uint64_t> ids_;
  std::deque<std::pair<MonotonicTime, uint64_t>> since_;  // in order of time
};

}  // namespace culvert::broker
