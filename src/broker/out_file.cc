#include "broker/out_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/log.h"
#include "base/status.h"
#include "config/main.h"

namespace culvert::broker {
namespace {

absl::Status FileError(const std::string& name) {
  return absl::FailedPreconditionError(
      fmt::format("write {}: {}", Printable(name), std::generic_category().message(errno)));
}

bool IsRegular(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

absl::StatusOr<std::unique_ptr<OutFile>> OutFile::Open(const std::string& name) {
  if (name == "-") return std::unique_ptr<OutFile>(new OutFile(name, net::UniqueFd(), false));
  net::UniqueFd fd(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool made = fd.get() >= 0;
  if (!made) fd = net::UniqueFd(open(name.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0) return FileError(name);
  return std::unique_ptr<OutFile>(new OutFile(name, std::move(fd), made));
}

OutFile::~OutFile() {
  if (made_) unlink(name_.c_str());
}

absl::Status OutFile::Write(std::string_view content) {
  if (fd_.get() < 0) return config::PrintResult(std::string(content));
  CULVERT_RETURN_IF_ERROR(WriteAll(content));
  made_ = false;
  return absl::OkStatus();
}

absl::Status OutFile::WriteAll(std::string_view content) const {
  const bool regular = IsRegular(fd_.get());
  if (regular && ftruncate(fd_.get(), 0) != 0) return FileError(name_);
  while (!content.empty()) {
    const ssize_t written = write(fd_.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(name_);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return regular && fsync(fd_.get()) != 0 ? FileError(name_) : absl::OkStatus();
}

}  // namespace culvert::broker
