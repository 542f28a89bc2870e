// How many segments a socket has received. Not beside <netinet/tcp.h>, which has an older tcp_info.
#pragma once

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "tests/support/catch.h"

namespace culvert::test {

inline uint32_t SegmentsTo(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  REQUIRE(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_segs_in;
}

}  // namespace culvert::test
