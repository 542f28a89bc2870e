#include "crypto/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/random.h"

namespace culvert::crypto {
namespace {

constexpr mode_t kOthers = 077;

absl::Status FileError(std::string_view what, const std::string& path, int error) {
  const std::string text =
      fmt::format("{} {}: {}", what, Printable(path), std::generic_category().message(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::FailedPreconditionError(text);
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("write", path, errno);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? absl::OkStatus() : FileError("write", path, errno);
}

absl::Status WriteNew(const std::string& path, std::string_view content) {
  const File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.fd() < 0) return FileError("create", path, errno);
  return WriteAll(file.fd(), content, path);
}

// The name in the directory is durable only with this.
absl::Status SyncDirectory(const std::string& path) {
  const File directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd() < 0 || fsync(directory.fd()) != 0) return FileError("sync", path, errno);
  return absl::OkStatus();
}

// Root reads what users keep in directories of their own, not what they leave in others'.
bool MayOwn(uid_t owner, const std::string& path) {
  if (owner == geteuid() || owner == 0) return true;
  struct stat directory {};
  return geteuid() == 0 && stat(DirectoryOf(path).c_str(), &directory) == 0 &&
         directory.st_uid == owner;
}

absl::Status CheckPrivate(const struct stat& status, const std::string& path, size_t most) {
  if (!S_ISREG(status.st_mode)) {
    return absl::FailedPreconditionError(fmt::format("{} is no regular file", Printable(path)));
  }
  if (!MayOwn(status.st_uid, path)) {
    return absl::FailedPreconditionError(
        fmt::format("{} belongs to another user: nothing is read from it", Printable(path)));
  }
  if ((status.st_mode & kOthers) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} is open to others (mode {:04o}): make it 0600", Printable(path),
                    status.st_mode & 07777));
  }
  if (status.st_size < 0 || static_cast<uint64_t>(status.st_size) > most) {
    return absl::OutOfRangeError(fmt::format("{} is longer than {} bytes", Printable(path), most));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MakePrivateDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return absl::OkStatus();
  if (errno == ENOENT && DirectoryOf(path) != path) {
    CULVERT_RETURN_IF_ERROR(MakePrivateDirectory(DirectoryOf(path)));
    if (mkdir(path.c_str(), 0700) == 0) return absl::OkStatus();
  }
  struct stat status {};
  if (errno != EEXIST) return FileError("create directory", path, errno);
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return absl::OkStatus();
  return FileError("create directory", path, ENOTDIR);
}

absl::Status WritePrivateFile(const std::string& path, std::string_view content) {
  const std::string temporary = fmt::format("{}.{}", path, Base32(RandomBytes(8)));
  absl::Status written = WriteNew(temporary, content);
  if (written.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    written = FileError("replace", path, errno);
  }
  if (!written.ok()) {
    unlink(temporary.c_str());
    return written;
  }
  return SyncDirectory(DirectoryOf(path));
}

absl::Status RemovePrivateFile(const std::string& path) {
  if (unlink(path.c_str()) == 0) return SyncDirectory(DirectoryOf(path));
  return errno == ENOENT ? absl::OkStatus() : FileError("remove", path, errno);
}

absl::StatusOr<std::string> ReadPrivateFile(const std::string& path, size_t most) {
  // Not blocking: a FIFO of that name must not stop the program.
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd() < 0) return FileError("read", path, errno);
  struct stat status {};
  if (fstat(file.fd(), &status) != 0) return FileError("read", path, errno);
  CULVERT_RETURN_IF_ERROR(CheckPrivate(status, path, most));
  std::string content(static_cast<size_t>(status.st_size), '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = read(file.fd(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  content.resize(done);
  return content;
}

}  // namespace culvert::crypto
