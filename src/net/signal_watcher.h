// Unix signals as callbacks on a loop.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"

namespace culvert::net {

// Confined to the loop; destroy = stop watching (with the last watcher of a signal its default
// action comes back). Signals of one kind that come faster than the loop turns may be seen as one.
// The callback may destroy the watcher.
class SignalWatcher {
 public:
  SignalWatcher(EventLoop& loop, int signal_number, absl::AnyInvocable<void()> callback);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  struct Handle;
  EventLoop& loop_;
  Handle* const handle_ ABSL_PT_GUARDED_BY(loop_);  // frees itself when libuv has closed it
};

}  // namespace culvert::net
