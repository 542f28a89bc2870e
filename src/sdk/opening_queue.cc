#include "sdk/opening_queue.h"

#include <utility>
#include <vector>

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
  if (lane.under_way == 0 && lane.waiting.empty()) queue_.lanes_.erase(found);
}

void OpeningQueue::Place::StopWaiting() {
  if (state_ != State::kWaiting) return;
  state_ = State::kLeft;
  const auto found = queue_.lanes_.find(target_);
  found->second.waiting.erase(number_);
  // The lane has others under way, or all are held.
  if (found->second.under_way == 0 && found->second.waiting.empty()) queue_.lanes_.erase(found);
}

void OpeningQueue::StartNext(Lane& lane) {
  if (held_ || lane.waiting.empty() || lane.under_way >= kMaxPerTarget) return;
  Place* const next = lane.waiting.begin()->second;
  lane.waiting.erase(lane.waiting.begin());
  ++lane.under_way;
  next->state_ = Place::State::kUnderWay;
  std::move(next->start_)();
}

void OpeningQueue::Release() {
  held_ = false;
  std::vector<std::string> targets;  // an opening that starts may change lanes_
  for (const auto& [target, lane] : lanes_) targets.push_back(target);
  for (const std::string& target : targets) {
    for (auto found = lanes_.find(target);
         found != lanes_.end() && !held_ && !found->second.waiting.empty() &&
         found->second.under_way < kMaxPerTarget;
         found = lanes_.find(target)) {
      StartNext(found->second);
    }
  }
}

}  // namespace culvert
