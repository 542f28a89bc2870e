// Joined connections whose ends are being told why they are to be cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "broker/data_plane.h"
#include "net/event_loop.h"
#include "net/timer.h"

namespace culvert::broker {

// A reset overtakes what is written to another connection, and whoever sees it first takes its path
// for lost and begins to resume. So a pair stays joined until the word is out, and for kMost at
// most. Confined to the control loop; destroy = cut all.
class PartingPairs {
 public:
  static constexpr Duration kMost = std::chrono::milliseconds(100);

  explicit PartingPairs(net::EventLoop& loop) : loop_(loop), timer_(loop) {}
  PartingPairs(const PartingPairs&) = delete;
  PartingPairs& operator=(const PartingPairs&) = delete;

  // Returns a number for Cut.
  uint64_t Add(std::unique_ptr<DataPlane::Pair> pair);
  // The word is out. Nothing if it has been cut.
  void Cut(uint64_t number);

  size_t size() const { return pairs_.size(); }

 private:
  struct Parting {
    std::unique_ptr<DataPlane::Pair> pair;
    MonotonicTime until;
  };
  void CutLater();

  net::EventLoop& loop_;
  std::map<uint64_t, Parting> pairs_;  // in the order of `until`
  uint64_t last_ = 0;
  net::Timer timer_;
};

}  // namespace culvert::broker
