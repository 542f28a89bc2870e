// A file for a command's result.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "net/unique_fd.h"

namespace culvert::broker {

// Opened before there is a result, so that none is made for nothing. What was there stays until
// Write; a file that was made goes again if there is none. Blocks.
class OutFile {
 public:
  // "-" is standard output. A new file has mode 0600.
  static absl::StatusOr<std::unique_ptr<OutFile>> Open(const std::string& name);
  ~OutFile();
  OutFile(const OutFile&) = delete;
  OutFile& operator=(const OutFile&) = delete;

  // The content from now on; on the disk when this returns OK.
  absl::Status Write(std::string_view content);

 private:
  OutFile(std::string name, net::UniqueFd fd, bool made)
      : name_(std::move(name)), fd_(std::move(fd)), made_(made) {}
  absl::Status WriteAll(std::string_view content) const;

  const std::string name_;
  const net::UniqueFd fd_;  // none: standard output
  bool made_;               // and nothing written yet
};

}  // namespace culvert::broker
