// Process limits.
#pragma once

#include "absl/status/status.h"

namespace culvert::net {

// Raises the soft RLIMIT_NOFILE to the hard one and ignores SIGPIPE. Once, at the start of main.
absl::Status RaiseProcessLimits();

// The descriptor number from which on new connections are refused: 90 % of RLIMIT_NOFILE.
int DescriptorRefusalThreshold();

}  // namespace culvert::net
