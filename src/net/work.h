// What would block a loop or hold it for milliseconds, on libuv's threads instead.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"

namespace culvert::net {

// One job. Confined to the loop; destroy = cancel: `done` does not run. The job itself may go on to
// its end on its thread, so what it uses must be its own (moved into it) or immutable.
class Work {
 public:
  // Runs `job` on a thread, then `done` on the loop, never inside the constructor. `done` may
  // destroy the Work. Both must not throw.
  Work(EventLoop& loop, absl::AnyInvocable<void() &&> job, absl::AnyInvocable<void() &&> done);
  ~Work();
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

 private:
  struct Request;
  EventLoop& loop_;
  Request* request_ ABSL_GUARDED_BY(loop_);  // frees itself; null once done
};

}  // namespace culvert::net
