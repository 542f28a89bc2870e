// What a process remembers of channels that ended, to answer a resume that comes too late.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "tunnel/channel.h"

namespace culvert::tunnel {

// The last kMost channels, each for kLife. Confined to one thread.
class Tombstones {
 public:
  static constexpr size_t kMost = 4096;
  static constexpr Duration kLife = std::chrono::seconds(60);

  struct Tombstone {
    uint64_t last_id = 0;  // the last id received from the peer
    bool clean = false;
    ErrorCode code = ErrorCode::kUnspecified;
    // What to answer a resume with: kEnded for an orderly end, else why it was aborted, unless that
    // would be heard as something else: try later, or never heard of it.
    ErrorCode AnswerCode() const {
      if (clean) return ErrorCode::kEnded;
      const bool misheard = code == ErrorCode::kUnspecified || code == ErrorCode::kBusy ||
                            code == ErrorCode::kUnknownChannel || code == ErrorCode::kEnded;
      return misheard ? ErrorCode::kReset : code;
    }
  };

  void Add(uint64_t channel_id, const Tombstone& tombstone, MonotonicTime now);
  std::optional<Tombstone> Find(uint64_t channel_id, MonotonicTime now);
  size_t size() const { return by_id_.size(); }

 private:
  void Expire(MonotonicTime now);

  struct Grave {
    uint64_t channel_id;
    MonotonicTime until;
  };
  std::deque<Grave> order_;
  std::unordered_map<uint64_t, Tombstone> by_id_;
};

}  // namespace culvert::tunnel
