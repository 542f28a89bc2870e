// How much one peer address may have at the broker: streams, openings under way; and how many
// resumes there may be.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "base/token_bucket.h"
#include "broker/log_throttle.h"
#include "rpc/server.h"
#include "rpc/stream.h"

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
  // The same beyond any limit.
  Slot Count(const std::string& key);
  // As Take would, of what was counted already.
  absl::Status CheckCounted(const std::string& key) const;
  void set_limit(uint64_t limit) { limit_ = limit; }
  uint64_t count(const std::string& key) const;

 private:
  absl::Status TooMany(const std::string& key) const;

  const std::string what_;
  uint64_t limit_;
  std::unordered_map<std::string, uint64_t> used_;
};

// Who is let in. A stream counts until gRPC holds nothing of it any more: a client that does not
// read its end still has it. Outlives all streams; confined to the control loop.
class Admission {
 public:
  struct Limits {
    uint64_t streams_per_address = 16'384;
    uint64_t pending_per_address = 1'024;
    // Of one consumer, whose providers are away.
    uint64_t held_resumes = 4'096;
    // Of all.
    TokenRate resumes = {.per_second = 2'000, .burst = 2'000};
  };
  // Refused streams of one address that wait for their client to read so. More are cancelled.
  static constexpr uint64_t kMaxRefused = 256;

  Admission(const Limits& limits, MonotonicTime now);

  // Counts `stream`; the slot is of the opening or resume under way, empty for what is none.
  // RESOURCE_EXHAUSTED when the address has its limit of streams.
  absl::StatusOr<SlotCounter::Slot> Admit(const rpc::StreamInfo& info, rpc::Stream& stream,
                                          MonotonicTime now);
  // One end of a stitched path that leads to `address`: it counts as the stream that it stands for.
  // RESOURCE_EXHAUSTED when the address has its limit of streams.
  absl::StatusOr<SlotCounter::Slot> CountStitched(const std::string& address) {
    return streams_.Take(address);
  }
  // What was let in is an opening: RESOURCE_EXHAUSTED when the address has its limit of them. It is
  // a resume if nobody asks: those count, and are let in all the same.
  absl::Status MayOpen(const rpc::StreamInfo& info, MonotonicTime now);
  // Takes one of the resumes that may be now, or tells how long to wait for the next.
  Duration TakeResume(MonotonicTime now);
  // RESOURCE_EXHAUSTED when too many resumes of `consumer` wait for their providers.
  absl::StatusOr<SlotCounter::Slot> HoldResume(const std::string& consumer);
  // Ends a stream that was not let in.
  void Refuse(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream,
              const absl::Status& why);

  void SetLimits(const Limits& limits);
  // Streams of `address` that count.
  uint64_t streams(const std::string& address) const { return streams_.count(address); }

 private:
  SlotCounter streams_;
  SlotCounter openings_;
  SlotCounter refused_;
  SlotCounter held_;
  TokenBucket resumes_;
  LogThrottle streams_log_;
  LogThrottle openings_log_;
};

}  // namespace culvert::broker
