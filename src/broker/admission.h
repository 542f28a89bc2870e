// How much one peer address may have at the broker: connections, streams, openings under way. Until
// there are identities the address stands for the principal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"

namespace culvert::broker {

// Counts by key against a limit. Confined to the control loop.
class SlotCounter {
 public:
  // One unit, given back on destruction. The counter must outlive it.
  class Slot {
   public:
    Slot() = default;
    Slot(SlotCounter* counter, std::string key) : counter_(counter), key_(std::move(key)) {}
    Slot(Slot&& other) noexcept { *this = std::move(other); }
    Slot& operator=(Slot&& other) noexcept;
    ~Slot() { Release(); }

   private:
    void Release();
    SlotCounter* counter_ = nullptr;
    std::string key_;
  };

  // `what` is the word for people: "streams".
  SlotCounter(std::string what, uint64_t limit) : what_(std::move(what)), limit_(limit) {}

  // RESOURCE_EXHAUSTED "too many streams from 127.0.0.1 (limit 16384)" when the key has its limit.
  absl::StatusOr<Slot> Take(const std::string& key);
  void set_limit(uint64_t limit) { limit_ = limit; }
  uint64_t count(const std::string& key) const;

 private:
  const std::string what_;
  uint64_t limit_;
  std::unordered_map<std::string, uint64_t> used_;
};

}  // namespace culvert::broker
