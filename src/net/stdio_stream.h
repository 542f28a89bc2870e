// stdin and stdout as one ByteStream, for `culvert connect` under ssh's ProxyCommand.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "net/byte_stream.h"
#include "net/event_loop.h"

namespace culvert::net {

inline constexpr char kReaderGone[] = "nobody reads standard output any more";

// Works on pipes, sockets, terminals, regular files and /dev/null; the two may be one socket or
// terminal. It uses duplicates, made non-blocking; since that is shared with the originals, their
// own flags are put back when the stream is destroyed (a shared terminal must not be left
// non-blocking).
//
// FinishWriting lets the reader see the end of the file: a socket is shut down, a pipe is closed,
// and for that `out_fd` itself becomes /dev/null (not free, or the next descriptor opened would be
// stdout). The reader of a pipe, socket or terminal that goes away is noticed although nothing is
// written: OnBroken, ABORTED with kReaderGone, at the next write or after `end_time`. Until then
// both directions may still end in order, as they do when a program that ends closes its pipes.
// SIGPIPE must be ignored (RaiseProcessLimits). SetResetOnClose has no effect.
absl::StatusOr<std::unique_ptr<ByteStream>> OpenStdio(EventLoop& loop, int in_fd = 0,
                                                      int out_fd = 1,
                                                      Duration end_time = std::chrono::seconds(2));

}  // namespace culvert::net
