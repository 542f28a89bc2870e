// Paces openings, so that a burst of local connections waits here instead of being refused.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "absl/functional/any_invocable.h"

namespace culvert {

// At most kMaxPerTarget openings of one target are under way, the others wait in order; a target
// that does not answer holds up no other one. Confined to the loop.
class OpeningQueue {
 public:
  static constexpr size_t kMaxPerTarget = 256;

  // A place in the queue, and then an opening under way. Destroy = leave, which starts the next.
  class Place {
   public:
    // `start` runs once it is this opening's turn, maybe before the constructor returns. It must
    // not destroy a Place. `queue` outlives the place.
    Place(OpeningQueue& queue, const std::string& target, absl::AnyInvocable<void() &&> start);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    bool waits() const { return state_ == State::kWaiting; }
    // Gives up waiting: its turn will not come. Nothing once it is under way.
    void StopWaiting();

   private:
    friend class OpeningQueue;
    enum class State { kWaiting, kUnderWay, kLeft };

    OpeningQueue& queue_;
    const std::string target_;
    const uint64_t number_;
    absl::AnyInvocable<void() &&> start_;
    State state_ = State::kWaiting;
  };

  size_t targets() const { return lanes_.size(); }
  // No opening starts from Hold to Release: the broker is overloaded.
  void Hold() { held_ = true; }
  void Release();

 private:
  struct Lane {
    size_t under_way = 0;
    std::map<uint64_t, Place*> waiting;  // by their numbers, which rise
  };
  void StartNext(Lane& lane);

  std::unordered_map<std::string, Lane> lanes_;
  uint64_t next_number_ = 0;
  bool held_ = false;
};

}  // namespace culvert
