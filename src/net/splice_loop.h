// A thread that moves the bytes of joined sockets.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "net/loop_thread.h"
#include "net/splice_pair.h"

namespace culvert::net {

// How a pair ended.
struct SpliceEnd {
  uint64_t id = 0;
  SpliceOutcome outcome = SpliceOutcome::kFinished;
  int error = 0;                    // an errno, with kReset and kBroken
  std::array<uint64_t, 2> bytes{};  // SpliceCounts at the end
};

// Owned by one thread, whose calls reach this one's loop as tasks: values and descriptors, never a
// reference.
class SpliceLoop {
 public:
  // Runs on this loop's thread, once for each pair, unless the SpliceLoop was destroyed first.
  using OnEnd = std::function<void(const SpliceEnd&)>;

  // `budget` outlives it. Fails for want of descriptors.
  static absl::StatusOr<std::unique_ptr<SpliceLoop>> Start(PipeBudget& budget, OnEnd on_end);
  // Resets all pairs that are left.
  ~SpliceLoop();
  SpliceLoop(const SpliceLoop&) = delete;
  SpliceLoop& operator=(const SpliceLoop&) = delete;

  // `id` is of no other pair of this loop.
  void Add(uint64_t id, std::array<UniqueFd, 2> sockets, std::shared_ptr<SpliceCounts> counts,
           std::shared_ptr<ByteRate> rate);
  // Nothing if the pair has ended.
  void Cut(uint64_t id);

 private:
  class Core;  // what lives on the loop
  SpliceLoop();

  LoopThread thread_;
  std::unique_ptr<Core> core_;
};

}  // namespace culvert::net
