// Reads and writes what epoll refuses (regular files, /dev/null), on libuv's threads. Private to
// src/net.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "base/bytes.h"
#include "net/event_loop.h"
#include "net/unique_fd.h"

namespace culvert::net {

// One operation at a time, at the file's own position. Confined to the loop; destroy = cancel (what
// was begun may still happen to the file). `done` gets the number of bytes or -errno, never inside
// the call, and may destroy the FileIo.
class FileIo {
 public:
  FileIo(EventLoop& loop, UniqueFd fd);
  ~FileIo();
  FileIo(const FileIo&) = delete;
  FileIo& operator=(const FileIo&) = delete;

  using ReadDone = absl::AnyInvocable<void(ssize_t result, std::string bytes) &&>;
  using WriteDone = absl::AnyInvocable<void(ssize_t result) &&>;

  bool is_busy() const;
  void Read(size_t most, ReadDone done);
  // Non-empty; may write less.
  void Write(Bytes bytes, WriteDone done);

 private:
  struct Request;
  void Begin(Request* request);

  EventLoop& loop_;
  // Shared with a request under way: the descriptor is closed when both have let go of it.
  const std::shared_ptr<const UniqueFd> fd_;
  Request* request_ ABSL_GUARDED_BY(loop_) = nullptr;  // frees itself
};

}  // namespace culvert::net
