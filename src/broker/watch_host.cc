#include "broker/watch_host.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace culvert::broker {
namespace {

struct Option {
  int level;
  int name;
  int value;
};

constexpr Option kOptions[] = {
    {SOL_SOCKET, SO_KEEPALIVE, 1},           {IPPROTO_TCP, TCP_KEEPIDLE, 20},
    {IPPROTO_TCP, TCP_KEEPINTVL, 5},         {IPPROTO_TCP, TCP_KEEPCNT, 3},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000},
};

}  // namespace

void WatchHost(int fd) {
  for (const Option& option : kOptions) {
    setsockopt(fd, option.level, option.name, &option.value, sizeof(option.value));
  }
}

}  // namespace culvert::broker
