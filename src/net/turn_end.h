// A callback before the loop waits for the next event: for what a turn gathers and hands over once.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"

namespace culvert::net {

// Confined to the loop; destroy = cancel. Costs no system call, and runs
// before what was posted meanwhile, unlike Deferred. The callback may Schedule again (it then runs
// in the next turn) or destroy the TurnEnd.
class TurnEnd {
 public:
  TurnEnd(EventLoop& loop, absl::AnyInvocable<void()> callback);
  ~TurnEnd();
  TurnEnd(const TurnEnd&) = delete;
  TurnEnd& operator=(const TurnEnd&) = delete;

  // Runs the callback once after this call, however often it is called until then: after the events
  // that the loop has found already, before it waits for others.
  void Schedule();

 private:
  struct Handle;
  EventLoop& loop_;
  Handle* const handle_ ABSL_PT_GUARDED_BY(loop_);  // frees itself when libuv has closed it
};

}  // namespace culvert::net
