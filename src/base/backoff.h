// How long to wait before the next try: exponential with jitter, so that a fleet which lost
// its broker does not come back in one wave.
#pragma once

#include <chrono>

#include "absl/random/random.h"
#include "base/clock.h"

namespace culvert {

// Confined to one thread.
class Backoff {
 public:
  struct Options {
    Duration initial = std::chrono::milliseconds(50);
    Duration max = std::chrono::seconds(5);
    double factor = 2.0;
  };

  Backoff() : Backoff(Options()) {}
  explicit Backoff(Options options) : options_(options) {}

  // How long to wait after the n-th failure since the Reset: a random time in [cap/2, cap] where
  // cap is initial * factor^(n-1), at most max.
  Duration Next();
  void Reset();

 private:
  Options options_;
  Duration cap_{0};
  absl::InsecureBitGen random_;
};

}  // namespace culvert
