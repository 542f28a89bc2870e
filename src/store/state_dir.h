// The directory that a broker keeps its state in, and the lock that gives it to one process.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace culvert::store {

// Held while it lives. Advisory (flock): freed by the kernel however the process ends.
class StateLock {
 public:
  // Makes `directory` (0700) if it is not there, and `directory`/lock (0600). UNAVAILABLE if
  // another process holds the lock, FAILED_PRECONDITION for a directory that is not ours alone.
  static absl::StatusOr<StateLock> Acquire(const std::string& directory);
  StateLock(StateLock&& other) noexcept;
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_;
};

// FAILED_PRECONDITION, with what to do, for what others may write or what belongs to another user
// than this process's or root: whoever that is would decide who is let in. What is not there is
// good. A link is not followed.
absl::Status CheckOursAlone(const std::string& path);

// `context: no space left on device`, with the code that says what the caller can do.
absl::Status SystemError(int error, const std::string& context);

}  // namespace culvert::store
