#include "config/state_owner.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/log.h"

namespace culvert::config {

absl::Status ActAsOwner(const std::string& state_dir) {
  struct stat directory {};
  if (geteuid() != 0 || stat(state_dir.c_str(), &directory) != 0 || directory.st_uid == 0) {
    return absl::OkStatus();
  }
  const bool done = setgroups(0, nullptr) == 0 &&
                    setresgid(directory.st_gid, directory.st_gid, directory.st_gid) == 0 &&
                    setresuid(directory.st_uid, directory.st_uid, directory.st_uid) == 0;
  if (done) return absl::OkStatus();
  const std::error_code error(errno, std::generic_category());
  return absl::PermissionDeniedError(
      fmt::format("act as the owner of {}: {}", Printable(state_dir), error.message()));
}

}  // namespace culvert::config
