#include "store/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/private_file.h"

namespace culvert::store {

absl::Status SystemError(int error, const std::string& context) {
  const std::string message =
      fmt::format("{}: {}", context, std::generic_category().message(error));
  return absl::Status(absl::ErrnoToStatusCode(error), message);
}

absl::Status CheckOursAlone(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? absl::OkStatus() : SystemError(errno, fmt::format("look at {}", path));
  }
  if (status.st_uid != geteuid() && status.st_uid != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} belongs to another user, uid {}: chown it, or start as that user",
                    Printable(path), status.st_uid));
  }
  if (S_ISLNK(status.st_mode) || (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(fmt::format("others may write {} (mode {:04o}): chmod go-w",
                                                   Printable(path), status.st_mode & 07777));
}

absl::StatusOr<StateLock> StateLock::Acquire(const std::string& directory) {
  CULVERT_RETURN_IF_ERROR(crypto::MakePrivateDirectory(directory));
  CULVERT_RETURN_IF_ERROR(CheckOursAlone(directory + "/."));  // also where that is a link
  const std::string path = directory + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (fd < 0) return SystemError(errno, fmt::format("open {}", path));
  StateLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return SystemError(errno, fmt::format("lock {}", path));
  return absl::UnavailableError(fmt::format("{} is in use by another process", directory));
}

StateLock::StateLock(StateLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StateLock::~StateLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace culvert::store
