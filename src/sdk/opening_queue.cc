#include "sdk/opening_queue.h"

#include <utility>

namespace culvert {

OpeningQueue::Place::Place(OpeningQueue& queue, const std::string& target,
                           absl::AnyInvocable<void() &&> start)
    : queue_(queue), target_(target), number_(queue.next_number_++), start_(std::move(start)) {
  Lane& lane = queue_.lanes_[target_];
  lane.waiting.emplace(number_, this);
  queue_.StartNext(lane);
}

OpeningQueue::Place::~Place() {
  StopWaiting();
  if (state_ != State::kUnderWay) return;
  const auto found = queue_.lanes_.find(target_);
  Lane& lane = found->second;
  --lane.under_way;
  queue_.StartNext(lane);
  if (lane.under_way == 0) queue_.lanes_.erase(found);
}

void OpeningQueue::Place::StopWaiting() {
  if (state_ != State::kWaiting) return;
  state_ = State::kLeft;
  // The lane has others under way, or this would not wait.
  queue_.lanes_.find(target_)->second.waiting.erase(number_);
}

void OpeningQueue::StartNext(Lane& lane) {
  if (lane.waiting.empty() || lane.under_way >= kMaxPerTarget) return;
  Place* const next = lane.waiting.begin()->second;
  lane.waiting.erase(lane.waiting.begin());
  ++lane.under_way;
  next->state_ = Place::State::kUnderWay;
  std::move(next->start_)();
}

}  // namespace culvert
