// A callback for the next turn of the loop that can still be taken back: EventLoop::Post for
// objects that may be destroyed before the task runs.
#pragma once

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"

namespace culvert::net {

// Confined to the loop; destroy = cancel. The callback may Schedule again or destroy the Deferred.
class Deferred {
 public:
  Deferred(EventLoop& loop, absl::AnyInvocable<void()> callback);
  ~Deferred();
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  // Runs the callback once in a turn after this call, however often it is called until then.
  void Schedule();

 private:
  struct Block;
  EventLoop& loop_;
  Block* block_;  // shared with the queued task: the last of the two frees it
};

}  // namespace culvert::net
