#include "broker/audit_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace culvert::broker {
namespace {

absl::StatusOr<net::UniqueFd> OpenFile(const std::string& path) {
  // O_NONBLOCK is for pipes: a reader that stalls must not stall the broker.
  constexpr int kFlags =
      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  net::UniqueFd fd(open(path.c_str(), kFlags, S_IRUSR | S_IWUSR));
  if (fd.is_open()) return fd;
  return absl::FailedPreconditionError(
      fmt::format("audit log {}: {}", path, std::generic_category().message(errno)));
}

}  // namespace

absl::StatusOr<AuditFile> AuditFile::Open(std::string path) {
  CULVERT_ASSIGN_OR_RETURN(net::UniqueFd fd, OpenFile(path));
  return AuditFile(std::move(path), std::move(fd));
}

AuditFile::~AuditFile() {
  if (fd_.is_open()) Flush();
}

void AuditFile::Append(std::string_view line) {
  if (torn_ && buffer_.empty()) buffer_ += '\n';
  buffer_.append(line);
  buffer_ += '\n';
  if (buffer_.size() >= kMaxBuffer) Flush();
}

void AuditFile::Flush() {
  if (buffer_.empty()) return;
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = write(fd_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      NoteLoss(rest, errno);
      break;
    }
    torn_ = rest[static_cast<size_t>(written) - 1] != '\n';
    rest.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
}

void AuditFile::NoteLoss(std::string_view rest, int error) {
  lost_ += static_cast<uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
  const MonotonicTime now = MonotonicNow();
  if (warned_ && now - *warned_ < kWarningInterval) return;
  warned_ = now;
  CULVERT_LOG(kError, "[audit {}] cannot write: {} lost_lines={}", path_,
              std::generic_category().message(error), lost_);
}

absl::Status AuditFile::Reopen() {
  Flush();
  CULVERT_ASSIGN_OR_RETURN(fd_, OpenFile(path_));
  torn_ = false;
  return absl::OkStatus();
}

}  // namespace culvert::broker
