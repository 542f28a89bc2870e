#include "net/stdio_end.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "net/uv_error.h"

namespace culvert::net {
namespace {

mode_t KindOf(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 ? info.st_mode & S_IFMT : 0;
}

int ReplaceByDevNull(int fd) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.is_open()) return errno;
  return dup2(null.get(), fd) >= 0 ? 0 : errno;
}

}  // namespace

StdioEnd::StdioEnd(EventLoop& loop, absl::AnyInvocable<void(unsigned)> ready)
    : loop_(loop), poll_(std::in_place, loop, std::move(ready)) {}

absl::Status StdioEnd::Open(int original, int flags) {
  constexpr int kFirstAfterStdio = 3;
  UniqueFd copy(fcntl(original, F_DUPFD_CLOEXEC, kFirstAfterStdio));
  if (!copy.is_open()) return ErrnoStatus(errno, "duplicate stdin or stdout");
  absl::Status opened = poll_->Open(copy.get());
  if (opened.ok()) {
    fd_ = std::move(copy);
    flags_ = flags;
    return absl::OkStatus();
  }
  poll_.reset();
  if (ErrnoOf(opened) != EPERM) return opened;
  file_.emplace(loop_, std::move(copy));
  return absl::OkStatus();
}

void StdioEnd::Close() {
  poll_.reset();
  file_.reset();
  // The flags belong to the open file, not to our duplicate: whoever else has it would be left with
  // a non-blocking one.
  if (fd_.is_open() && flags_ >= 0) fcntl(fd_.get(), F_SETFL, flags_);
  fd_.reset();
}

int StdioEnd::FinishWriting(int original) {
  if (!fd_.is_open()) return 0;
  switch (KindOf(fd_.get())) {
    case S_IFSOCK:
      return shutdown(fd_.get(), SHUT_WR) == 0 ? 0 : errno;
    case S_IFIFO:
      Close();
      return ReplaceByDevNull(original);
    default:
      return 0;  // a terminal has no end
  }
}

void StdioEnd::Watch(unsigned events) {
  if (poll_) poll_->Watch(events);
}

}  // namespace culvert::net
