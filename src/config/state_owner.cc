#include "config/state_owner.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "absl/status/statusor.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert::config {

namespace {

struct Owner {
  uid_t user = 0;
  gid_t group = 0;
};

// Whoever owns the link chooses whose directory it leads to.
absl::Status CheckLink(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();  // lstat would follow
  struct stat link {};
  if (lstat(path.c_str(), &link) != 0 || !S_ISLNK(link.st_mode) || link.st_uid == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(fmt::format(
      "{} is a symbolic link of another user: name the directory itself", Printable(path)));
}

// Whom root has to act as: nobody else for other users, and where the directory is not there.
absl::StatusOr<std::optional<Owner>> OtherOwner(const std::string& state_dir) {
  if (geteuid() != 0) return std::nullopt;
  CULVERT_RETURN_IF_ERROR(CheckLink(state_dir));
  struct stat directory {};
  if (stat(state_dir.c_str(), &directory) != 0 || directory.st_uid == 0) return std::nullopt;
  return Owner{directory.st_uid, directory.st_gid};
}

}  // namespace

absl::Status ActAsOwner(const std::string& state_dir) {
  CULVERT_ASSIGN_OR_RETURN(const std::optional<Owner> owner, OtherOwner(state_dir));
  if (!owner) return absl::OkStatus();
  const bool done = setgroups(0, nullptr) == 0 &&
                    setresgid(owner->group, owner->group, owner->group) == 0 &&
                    setresuid(owner->user, owner->user, owner->user) == 0;
  if (done) return absl::OkStatus();
  const std::error_code error(errno, std::generic_category());
  return absl::PermissionDeniedError(
      fmt::format("act as the owner of {}: {}", Printable(state_dir), error.message()));
}

absl::Status CheckOwnState(const std::string& state_dir, const std::string& file) {
  struct stat kept {};
  const bool other =
      geteuid() == 0 && stat((state_dir + "/" + file).c_str(), &kept) == 0 && kept.st_uid != 0;
  if (!other) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{}/{} belongs to another user: run this as that user", Printable(state_dir), file));
}

}  // namespace culvert::config
