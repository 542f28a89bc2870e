// One of the two descriptors of stdio. Private to src/net.
#pragma once

#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "net/event_loop.h"
#include "net/fd_poll.h"
#include "net/file_io.h"
#include "net/unique_fd.h"

namespace culvert::net {

// A duplicate of the descriptor, polled or, if epoll refuses it, worked on by threads. Confined to
// the loop; may be closed or destroyed inside `ready` and FileIo's callbacks.
class StdioEnd {
 public:
  // `ready` as for FdPoll; never called for a file.
  StdioEnd(EventLoop& loop, absl::AnyInvocable<void(unsigned)> ready);
  ~StdioEnd() { Close(); }
  StdioEnd(const StdioEnd&) = delete;
  StdioEnd& operator=(const StdioEnd&) = delete;

  // `flags` are those to put back (F_GETFL), taken before the first of the two ends was opened:
  // both may be the same open file.
  absl::Status Open(int original, int flags);
  // Puts the flags back and lets go of the duplicate.
  void Close();
  // Ends the stream for whoever reads it: shuts a socket down; closes a pipe, whose `original`
  // becomes /dev/null. 0 or an errno.
  int FinishWriting(int original);

  // Nothing for a file, or when closed.
  void Watch(unsigned events);
  // nullptr unless it is a file.
  FileIo* file() { return file_ ? &*file_ : nullptr; }
  int fd() const { return fd_.get(); }

 private:
  EventLoop& loop_;
  UniqueFd fd_;
  int flags_ = -1;              // -1: nothing to put back
  std::optional<FdPoll> poll_;  // after `fd_`, before which it must go
  std::optional<FileIo> file_;
};

}  // namespace culvert::net
