#include "net/limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>

#include "net/uv_error.h"

namespace culvert::net {

absl::Status RaiseProcessLimits() {
  // A write to a closed pipe or socket is to be an error of that write.
  if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return ErrnoStatus(errno, "ignore SIGPIPE");
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus(errno, "read RLIMIT_NOFILE");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus(errno, "raise RLIMIT_NOFILE");
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
