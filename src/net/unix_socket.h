// Sockets in the file system, through which a program is told things by who owns it.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/unique_fd.h"

namespace culvert::net {

// FAILED_PRECONDITION, in one line, unless `folder` is a directory, and no link to one, in which
// nobody else can put a socket in the place of ours: it is our user's or root's, and either nobody
// else may write there or the sticky bit is set. NOT_FOUND if it is not there.
absl::Status CheckSocketFolder(const std::string& folder);

// A listening stream socket at `path`, mode 0600 from the beginning, in place of whatever socket is
// there. For FdListener::FromUnixFd. INVALID_ARGUMENT for a path of more than 107 bytes.
absl::StatusOr<UniqueFd> ListenOnUnixSocket(const std::string& path);

// A blocking stream whose reads and writes fail after `timeout` each. NOT_FOUND where nobody
// listens; FAILED_PRECONDITION where `path` is no socket but a link, say.
absl::StatusOr<UniqueFd> ConnectToUnixSocket(const std::string& path, Duration timeout);

// Whether there is a socket at `path` that nobody listens on any more; not in its first two
// seconds, when somebody may be about to. Does not block.
bool IsAbandonedSocket(const std::string& path);

// PERMISSION_DENIED unless whoever listens at the other end of ConnectToUnixSocket's stream is our
// user, root or `owner`: anybody else could have us believe anything.
absl::Status CheckServer(int fd, uid_t owner);

// Whose process is at the other end, as the kernel noted it when that connected (SO_PEERCRED).
absl::StatusOr<uid_t> PeerUser(int fd);

}  // namespace culvert::net
