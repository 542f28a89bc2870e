#include "tests/support/segments.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/support/catch.h"

namespace culvert::test {

uint32_t SegmentsTo(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  REQUIRE(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_segs_in;
}

}  // namespace culvert::test
