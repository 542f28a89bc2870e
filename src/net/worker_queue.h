// Runs jobs that take the processor for milliseconds on threads, a few at a time.
#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"
#include "net/work.h"

namespace culvert::net {

// First in, first out. Confined to the loop; outlives its jobs.
class WorkerQueue {
 public:
  static constexpr size_t kMostAtOnce = 2;

  explicit WorkerQueue(EventLoop& loop);
  ~WorkerQueue();
  WorkerQueue(const WorkerQueue&) = delete;
  WorkerQueue& operator=(const WorkerQueue&) = delete;

  EventLoop& loop() { return loop_; }

  class Job;
  // `work` runs on a thread (what it uses is its own or immutable), then `done` on the loop, never
  // inside this call. Destroying the job cancels it: `done` does not run, `work` may.
  std::unique_ptr<Job> Submit(absl::AnyInvocable<void() &&> work,
                              absl::AnyInvocable<void() &&> done);

 private:
  // A place of kMostAtOnce, kept until the thread is done also where its job is gone.
  struct Slot;
  void Start();
  void HandleDone(const Slot* slot);

  EventLoop& loop_;
  std::list<Job*> waiting_;
  std::list<std::unique_ptr<Slot>> running_;
};

class WorkerQueue::Job {
 public:
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

 private:
  friend class WorkerQueue;
  explicit Job(WorkerQueue& queue) : queue_(queue) {}

  WorkerQueue& queue_;
  absl::AnyInvocable<void() &&> work_;  // while it waits
  absl::AnyInvocable<void() &&> done_;
  Slot* slot_ = nullptr;  // while it runs
};

}  // namespace culvert::net
