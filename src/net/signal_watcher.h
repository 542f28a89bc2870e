// Unix signals as callbacks on a loop.
#pragma once

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"

namespace culvert::net {

// Confined to the loop; destroy = stop watching (the signal's default action comes back).
class SignalWatcher {
 public:
  SignalWatcher(EventLoop& loop, int signal_number, absl::AnyInvocable<void()> callback);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  struct Handle;
  Handle* handle_;
};

}  // namespace culvert::net
