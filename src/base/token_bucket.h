// Rate limits: so many a second, and a burst that was saved up.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace culvert {

struct TokenRate {
  double per_second = 1;
  double burst = 1;  // what is there at first, and the most that is saved
};

// One limit. Confined to one thread.
class TokenBucket {
 public:
  TokenBucket(TokenRate rate, MonotonicTime now) : rate_(rate), tokens_(rate.burst), filled_(now) {}

  // Takes one if it is there.
  bool Take(MonotonicTime now) {
    tokens_ = At(now);
    filled_ = std::max(filled_, now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  // Gives back one that was taken and not needed.
  void Return() { tokens_ = std::min(rate_.burst, tokens_ + 1); }
  // How long until one is there; 0 if it is.
  Duration Wait(MonotonicTime now) const {
    const double tokens = At(now);
    if (tokens >= 1) return Duration::zero();
    const std::chrono::duration<double> seconds((1 - tokens) / rate_.per_second);
    return std::chrono::ceil<Duration>(seconds);
  }
  bool IsFull(MonotonicTime now) const { return At(now) >= rate_.burst; }

 private:
  double At(MonotonicTime now) const {
    if (now <= filled_) return tokens_;
    return std::min(rate_.burst, tokens_ + rate_.per_second * ToSeconds(now - filled_));
  }

  TokenRate rate_;
  double tokens_;
  MonotonicTime filled_;
};

// One limit for each key. Bounded: where there are more keys than `most` with something taken, the
// further ones share one limit. Confined to one thread.
class TokenBuckets {
 public:
  // Looking at all of them, for those that can be forgotten, is not for every key that comes: who
  // has many addresses could keep a loop busy with it.
  static constexpr Duration kSweepInterval = std::chrono::milliseconds(100);

  TokenBuckets(TokenRate rate, size_t most) : rate_(rate), most_(most), others_(rate, {}) {}

  // Good until the next call.
  TokenBucket& For(const std::string& key, MonotonicTime now) {
    if (const auto found = buckets_.find(key); found != buckets_.end()) return found->second;
    if (buckets_.size() >= most_ && (!swept_ || now - *swept_ >= kSweepInterval)) {
      std::erase_if(buckets_, [now](const auto& entry) { return entry.second.IsFull(now); });
      swept_ = now;
    }
    if (buckets_.size() >= most_) return others_;
    return buckets_.emplace(key, TokenBucket(rate_, now)).first->second;
  }
  size_t size() const { return buckets_.size(); }

 private:
  const TokenRate rate_;
  const size_t most_;
  std::unordered_map<std::string, TokenBucket> buckets_;
  TokenBucket others_;
  std::optional<MonotonicTime> swept_;
};

}  // namespace culvert
