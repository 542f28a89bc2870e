// Sockets in the file system, through which a program is told things by who owns it.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/unique_fd.h"

namespace culvert::net {

// A listening stream socket at `path`, mode 0600, in place of whatever socket is there. For
// FdListener::FromUnixFd. INVALID_ARGUMENT for a path of more than 107 bytes.
absl::StatusOr<UniqueFd> ListenOnUnixSocket(const std::string& path);

// A blocking stream whose reads and writes fail after `timeout` each. NOT_FOUND where nobody
// listens.
absl::StatusOr<UniqueFd> ConnectToUnixSocket(const std::string& path, Duration timeout);

// Whether there is a socket at `path` that nobody listens on any more; not in its first two seconds,
// when somebody may be about to. Does not block.
bool IsAbandonedSocket(const std::string& path);

// Whose process is at the other end, as the kernel noted it when that connected (SO_PEERCRED).
absl::StatusOr<uid_t> PeerUser(int fd);

}  // namespace culvert::net
