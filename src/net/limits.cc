#include "net/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>

#include "net/uv_error.h"

namespace culvert::net {

absl::Status RaiseProcessLimits() {
  // A write to a closed pipe, or to a file beyond RLIMIT_FSIZE, is to be an error of that write.
  if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return ErrnoStatus(errno, "ignore SIGPIPE");
  if (std::signal(SIGXFSZ, SIG_IGN) == SIG_ERR) return ErrnoStatus(errno, "ignore SIGXFSZ");
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus(errno, "read RLIMIT_NOFILE");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus(errno, "raise RLIMIT_NOFILE");
  if (limit.rlim_max < kFewestDescriptors) {
    return absl::ResourceExhaustedError(
        fmt::format("at most {} file descriptors (ulimit -n): {} are needed at least",
                    limit.rlim_max, kFewestDescriptors));
  }
  return absl::OkStatus();
}

int DescriptorRefusalThreshold() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<int>::max();
  constexpr rlim_t kMost = std::numeric_limits<int>::max();  // RLIM_INFINITY is more
  const rlim_t descriptors = std::min(limit.rlim_cur, kMost);
  return static_cast<int>(descriptors - descriptors / 10);
}

}  // namespace culvert::net
