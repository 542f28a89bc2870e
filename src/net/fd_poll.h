// Readiness of a descriptor as callbacks on a loop. For src/net, and for the broker, whose data
// port reads raw sockets and passes them on.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "net/event_loop.h"

namespace culvert::net {

// Confined to the loop; destroy = stop. One per descriptor, which stays open until after it. Level
// triggered: the callback runs once a turn as long as a watched condition holds, and may destroy
// the FdPoll.
class FdPoll {
 public:
  // Bits of Watch and of the callback's argument.
  static constexpr unsigned kReadable = 1;
  static constexpr unsigned kWritable = 2;
  // The descriptor has an error or both directions are closed, and, rarely, urgent data. To watch
  // this alone leaves out what a peer does in good order: data and FIN.
  static constexpr unsigned kBroken = 4;
  // The peer of a socket has ended its direction, whether or not what it sent before was read.
  static constexpr unsigned kPeerFinished = 8;

  // `ready` gets what is there; an error comes as kBroken whatever is watched, and ends the watch.
  FdPoll(EventLoop& loop, absl::AnyInvocable<void(unsigned)> ready);
  ~FdPoll();
  FdPoll(const FdPoll&) = delete;
  FdPoll& operator=(const FdPoll&) = delete;

  // Once, before Watch. Makes the descriptor non-blocking. PERMISSION_DENIED (EPERM) for what epoll
  // refuses: regular files, /dev/null.
  absl::Status Open(int fd);
  // Replaces what was watched before; 0 = nothing.
  void Watch(unsigned events);
  unsigned watched() const;

 private:
  struct Handle;
  EventLoop& loop_;
  Handle* const handle_ ABSL_PT_GUARDED_BY(loop_);  // frees itself when libuv has closed it
};

}  // namespace culvert::net
