// How many segments a socket has received. Not inline: it needs <linux/tcp.h>, which does not go
// together with <netinet/tcp.h>.
#pragma once

#include <cstdint>

namespace culvert::test {

uint32_t SegmentsTo(int fd);

}  // namespace culvert::test
