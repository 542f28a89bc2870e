#include "sdk/opening_queue.h"

#include <algorithm>
#include <utility>

namespace culvert {

OpeningQueue::Place::Place(OpeningQueue& queue, const std::string& target,
                           absl::AnyInvocable<void() &&> start)
    : queue_(queue), target_(target), start_(std::move(start)) {
  Lane& lane = queue_.lanes_[target_];
  lane.waiting.push_back(this);
  queue_.StartNext(lane);
}

OpeningQueue::Place::~Place() {
  const auto found = queue_.lanes_.find(target_);
  Lane& lane = found->second;
  if (waits()) {
    lane.waiting.erase(std::find(lane.waiting.begin(), lane.waiting.end(), this));
  } else {
    --lane.under_way;
    queue_.StartNext(lane);
  }
  if (lane.under_way == 0) queue_.lanes_.erase(found);
}

void OpeningQueue::StartNext(Lane& lane) {
  if (lane.waiting.empty() || lane.under_way >= kMaxPerTarget) return;
  Place* const next = lane.waiting.front();
  lane.waiting.pop_front();
  ++lane.under_way;
  std::exchange(next->start_, nullptr)();
}

}  // namespace culvert
