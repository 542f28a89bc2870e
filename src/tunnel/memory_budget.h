// What all channels of a process may hold together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace culvert::tunnel {

// Confined to one loop. Each channel may use its share for what it sent and is not acknowledged,
// and grant as much to its peer; the share shrinks as channels come, so the sum stays near `limit`.
class MemoryBudget {
 public:
  static constexpr uint64_t kDefaultLimit = uint64_t{256} * 1024 * 1024;
  // However many channels there are, each may always have one small read in flight.
  static constexpr uint64_t kMinShare = uint64_t{8} * 1024;

  explicit MemoryBudget(uint64_t limit = kDefaultLimit) : limit_(limit) {}

  // One channel's part of the budget. Each channel holds one for its life.
  class Member {
   public:
    explicit Member(MemoryBudget& budget);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // Sets what the channel holds now, in cost.
    void SetUsed(uint64_t used);
    uint64_t used() const { return used_; }
    // Most that the channel should hold per direction.
    uint64_t Share() const;
    // Whether the process has room for larger windows.
    bool MayGrow() const;

   private:
    MemoryBudget& budget_;
    uint64_t used_ = 0;
  };

  // Runs inside whatever makes `used` pass the limit: many channels came after some that had taken
  // larger shares.
  void SetPressureCallback(std::function<void()> on_pressure) {
    on_pressure_ = std::move(on_pressure);
  }
  bool under_pressure() const { return used_ > limit_; }

  // The share of a channel that is about to be made.
  uint64_t ShareOfNext() const { return ShareAmong(channels_ + 1); }

  uint64_t limit() const { return limit_; }
  uint64_t used() const { return used_; }
  size_t channels() const { return channels_; }

 private:
  uint64_t ShareAmong(size_t channels) const;

  const uint64_t limit_;
  std::function<void()> on_pressure_;
  uint64_t used_ = 0;
  size_t channels_ = 0;
};

}  // namespace culvert::tunnel
