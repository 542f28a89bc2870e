// Socket options that more than one class sets. Private to src/net.
#pragma once

#include <sys/socket.h>

#include "absl/status/status.h"

namespace culvert::net {

// setsockopt with an int; 0 or an errno.
int SetSocketOption(int fd, int level, int name, int value);

// What every TCP stream has (see TcpStream).
absl::Status SetStreamOptions(int fd);
// The peer has ended its direction, maybe by closing for good. Linux forgets such a socket after
// 60 s and answers our probe with a reset, which would drop what it said last on its way to a slow
// reader. So the probes begin as late as Linux's own default, 2 h.
void ProbeLate(int fd);

// SO_LINGER {1, 0}: closing, also by the end of the process, sends RST. Failure is ignored: the
// option exists on every TCP socket.
void SetResetOnClose(int fd, bool on);

// The pending error of a socket, which is cleared by that; 0 if there is none.
int TakeSocketError(int fd);

}  // namespace culvert::net
