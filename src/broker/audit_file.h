// The file that audit events are appended to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/unique_fd.h"

namespace culvert::broker {

// Confined to one thread. Lines wait in memory until Flush, which makes one write(2) of them. What
// cannot be written is lost, counted, and logged once a minute: a full disk stops no broker.
class AuditFile {
 public:
  // From here on Append flushes by itself.
  static constexpr size_t kMaxBuffer = size_t{64} * 1024;
  static constexpr Duration kWarningInterval = std::chrono::minutes(1);

  // Makes the file (0600) where there is none. Follows no link; a pipe that nobody reads is an
  // error.
  static absl::StatusOr<AuditFile> Open(std::string path);
  AuditFile(AuditFile&&) = default;
  AuditFile& operator=(AuditFile&&) = delete;
  ~AuditFile();

  void Append(std::string_view line);
  void Flush();
  // After the file was renamed: what waits goes to the old one. If that fails the old one is kept.
  absl::Status Reopen();

  bool is_empty() const { return buffer_.empty(); }
  uint64_t lost() const { return lost_; }
  const std::string& path() const { return path_; }

 private:
  AuditFile(std::string path, net::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  void NoteLoss(std::string_view rest, int error);

  std::string path_;
  net::UniqueFd fd_;
  std::string buffer_;
  bool torn_ = false;  // the file ends in a part of a line
  uint64_t lost_ = 0;  // lines
  std::optional<MonotonicTime> warned_;
};

}  // namespace culvert::broker
