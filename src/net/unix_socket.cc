#include "net/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/log.h"
#include "base/status.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

// Whoever makes a socket listens by then.
constexpr time_t kListenSeconds = 2;

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(fmt::format("{}: a socket's path has at most {} bytes", path,
                                                  sizeof(address.sun_path) - 1));
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

timeval ToTimeval(Duration duration) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return {micros / 1'000'000, micros % 1'000'000};
}

}  // namespace

absl::Status CheckSocketFolder(const std::string& folder) {
  struct stat there {};
  if (lstat(folder.c_str(), &there) != 0) return ErrnoStatus(errno, Printable(folder));
  if (!S_ISDIR(there.st_mode)) {
    return absl::FailedPreconditionError(
        fmt::format("{} is {}", Printable(folder),
                    S_ISLNK(there.st_mode) ? "a symbolic link" : "not a directory"));
  }
  if (there.st_uid != geteuid() && there.st_uid != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} belongs to another user, uid {}", Printable(folder), there.st_uid));
  }
  const bool others_write = (there.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (!others_write || (there.st_mode & S_ISVTX) != 0) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("others may write {} (mode {:04o}): chmod go-w",
                                                   Printable(folder), there.st_mode & 07777));
}

absl::StatusOr<UniqueFd> ListenOnUnixSocket(const std::string& path) {
  const std::string context = fmt::format("listen on {}", path);
  CULVERT_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  struct stat old {};
  if (lstat(path.c_str(), &old) == 0 && S_ISSOCK(old.st_mode)) unlink(path.c_str());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return ErrnoStatus(errno, context);
  // Linux makes the file with the mode of the socket (less the umask): there is no moment at which
  // it has another, and nothing that could have taken its place is changed.
  if (fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0) return ErrnoStatus(errno, context);
  if (bind(fd.get(), Generic(address), sizeof(address)) != 0) return ErrnoStatus(errno, context);
  if (listen(fd.get(), SOMAXCONN) != 0) return ErrnoStatus(errno, context);
  return fd;
}

absl::StatusOr<UniqueFd> ConnectToUnixSocket(const std::string& path, Duration timeout) {
  const std::string context = fmt::format("connect to {}", path);
  CULVERT_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  struct stat there {};
  if (lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
    return absl::FailedPreconditionError(fmt::format("{} is not a socket", path));
  }
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return ErrnoStatus(errno, context);
  const timeval limit = ToTimeval(timeout);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (connect(fd.get(), Generic(address), sizeof(address)) == 0) return fd;
  if (errno != ENOENT && errno != ECONNREFUSED) return ErrnoStatus(errno, context);
  return absl::NotFoundError(fmt::format("{}: nobody listens", context));
}

bool IsAbandonedSocket(const std::string& path) {
  struct stat there {};
  const absl::StatusOr<sockaddr_un> address = AddressOf(path);
  if (!address.ok() || lstat(path.c_str(), &there) != 0 || !S_ISSOCK(there.st_mode)) return false;
  if (time(nullptr) - there.st_mtime <= kListenSeconds) return false;
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return fd.is_open() && connect(fd.get(), Generic(*address), sizeof(*address)) != 0 &&
         errno == ECONNREFUSED;
}

absl::Status CheckServer(int fd, uid_t owner) {
  CULVERT_ASSIGN_OR_RETURN(const uid_t user, PeerUser(fd));
  if (user == 0 || user == geteuid() || user == owner) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("uid {} answers there, who is neither uid {} nor root", user, owner));
}

absl::StatusOr<uid_t> PeerUser(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) return peer.uid;
  return ErrnoStatus(errno, "peer's user");
}

}  // namespace culvert::net
