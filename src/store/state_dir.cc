#include "store/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/status.h"

namespace culvert::store {
namespace {

absl::Status MakeDirectory(const std::string& directory) {
  const std::filesystem::path parent = std::filesystem::path(directory).parent_path();
  std::error_code failed;
  if (!parent.empty()) std::filesystem::create_directories(parent, failed);
  if (mkdir(directory.c_str(), S_IRWXU) == 0 || errno == EEXIST) return absl::OkStatus();
  return SystemError(errno, fmt::format("make {}", directory));
}

}  // namespace

absl::Status SystemError(int error, const std::string& context) {
  const std::string message =
      fmt::format("{}: {}", context, std::generic_category().message(error));
  return absl::Status(absl::ErrnoToStatusCode(error), message);
}

absl::StatusOr<StateLock> StateLock::Acquire(const std::string& directory) {
  CULVERT_RETURN_IF_ERROR(MakeDirectory(directory));
  const std::string path = directory + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (fd < 0) return SystemError(errno, fmt::format("open {}", path));
  StateLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return SystemError(errno, fmt::format("lock {}", path));
  return absl::UnavailableError(fmt::format("{} is in use by another process", directory));
}

StateLock::StateLock(StateLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StateLock::~StateLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace culvert::store
