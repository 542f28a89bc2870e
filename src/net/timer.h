// A one-shot timer on an EventLoop.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "net/event_loop.h"

namespace culvert::net {

// Confined to the loop; after the destructor the callback does not run. Resolution 1 ms.
class Timer {
 public:
  explicit Timer(EventLoop& loop);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Runs `callback` once after `delay` (rounded up to 1 ms at least), never early; replaces what
  // was set before. The callback may call Start again or destroy the timer.
  void Start(Duration delay, absl::AnyInvocable<void() &&> callback);
  void Cancel();
  bool is_set() const;

 private:
  struct Handle;
  EventLoop& loop_;
  Handle* const handle_ ABSL_PT_GUARDED_BY(loop_);  // owned
};

}  // namespace culvert::net
