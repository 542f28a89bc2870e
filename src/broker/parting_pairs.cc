#include "broker/parting_pairs.h"

#include <utility>

namespace culvert::broker {

uint64_t PartingPairs::Add(std::unique_ptr<DataPlane::Pair> pair) {
  loop_.AssertOnThread();
  pairs_.emplace(++last_, Parting{std::move(pair), loop_.Now() + kMost});
  CutLater();
  return last_;
}

void PartingPairs::Cut(uint64_t number) {
  loop_.AssertOnThread();
  pairs_.erase(number);
}

void PartingPairs::CutLater() {
  if (pairs_.empty() || timer_.is_set()) return;
  timer_.Start(pairs_.begin()->second.until - loop_.Now(), [this] {
    while (!pairs_.empty() && pairs_.begin()->second.until <= loop_.Now()) {
      pairs_.erase(pairs_.begin());
    }
    CutLater();
  });
}

}  // namespace culvert::broker
