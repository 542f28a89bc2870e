// stdin and stdout as one ByteStream, for `culvert connect` under ssh's ProxyCommand.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "net/byte_stream.h"
#include "net/event_loop.h"

namespace culvert::net {

// Works on pipes, sockets, terminals, regular files and /dev/null. The descriptors' own flags are
// put back when the stream is destroyed (a shared terminal must not be left non-blocking).
// FinishWriting closes stdout. A reader of stdout that goes away is OnBroken (EPIPE; SIGPIPE must
// be ignored by the program).
absl::StatusOr<std::unique_ptr<ByteStream>> OpenStdio(EventLoop& loop, int in_fd = 0,
                                                      int out_fd = 1);

}  // namespace culvert::net
