#include "net/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include "net/uv_error.h"

namespace culvert::net {
namespace {

struct Option {
  int level;
  int name;
  int value;
};

constexpr Option kStreamOptions[] = {
    // Frames are whole when they are written: nothing is gained by waiting for more.
    {IPPROTO_TCP, TCP_NODELAY, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1},
    {IPPROTO_TCP, TCP_KEEPIDLE, 60},
    {IPPROTO_TCP, TCP_KEEPINTVL, 10},
    {IPPROTO_TCP, TCP_KEEPCNT, 6},
    // An urgent byte (telnet's Data Mark) stays in the stream; without this it would be lost to us.
    {SOL_SOCKET, SO_OOBINLINE, 1},
};

}  // namespace

int SetSocketOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : errno;
}

absl::Status SetStreamOptions(int fd) {
  for (const Option& option : kStreamOptions) {
    if (const int error = SetSocketOption(fd, option.level, option.name, option.value)) {
      return ErrnoStatus(error, "socket options");
    }
  }
  return absl::OkStatus();
}

void ProbeLate(int fd) {
  constexpr int kTwoHours = 2 * 60 * 60;
  SetSocketOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kTwoHours);
}

void SetResetOnClose(int fd, bool on) {
  const linger value{.l_onoff = on ? 1 : 0, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
}

int TakeSocketError(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

}  // namespace culvert::net
