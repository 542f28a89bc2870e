#include "net/worker_queue.h"

#include <optional>
#include <utility>

namespace culvert::net {

struct WorkerQueue::Slot {
  Job* job = nullptr;  // null once it was cancelled
  std::optional<Work> work;
};

WorkerQueue::WorkerQueue(EventLoop& loop) : loop_(loop) {}

WorkerQueue::~WorkerQueue() = default;

WorkerQueue::Job::~Job() {
  if (slot_ != nullptr) slot_->job = nullptr;
  queue_.waiting_.remove(this);
}

std::unique_ptr<WorkerQueue::Job> WorkerQueue::Submit(absl::AnyInvocable<void() &&> work,
                                                      absl::AnyInvocable<void() &&> done) {
  std::unique_ptr<Job> job(new Job(*this));
  job->work_ = std::move(work);
  job->done_ = std::move(done);
  waiting_.push_back(job.get());
  Start();
  return job;
}

void WorkerQueue::Start() {
  while (running_.size() < kMostAtOnce && !waiting_.empty()) {
    Job& job = *waiting_.front();
    waiting_.pop_front();
    Slot* const slot = running_.emplace_back(std::make_unique<Slot>()).get();
    slot->job = &job;
    job.slot_ = slot;
    slot->work.emplace(loop_, std::exchange(job.work_, nullptr),
                       [this, slot] { HandleDone(slot); });
  }
}

void WorkerQueue::HandleDone(const Slot* slot) {
  Job* const job = slot->job;
  running_.remove_if([slot](const auto& entry) { return entry.get() == slot; });
  if (job != nullptr) {
    job->slot_ = nullptr;
    // It may destroy the job.
    absl::AnyInvocable<void()&&> done = std::exchange(job->done_, nullptr);
    std::move(done)();
  }
  Start();
}

}  // namespace culvert::net
