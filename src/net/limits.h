// Process limits.
#pragma once

#include "absl/status/status.h"

namespace culvert::net {

// The fewest descriptors that a program can start with: its own and those of gRPC.
inline constexpr int kFewestDescriptors = 64;

// Raises the soft RLIMIT_NOFILE to the hard one and ignores SIGPIPE and SIGXFSZ: a log file at its
// limit is no reason to end. RESOURCE_EXHAUSTED if there are fewer than kFewestDescriptors. Once,
// at the start of main.
absl::Status RaiseProcessLimits();

// The descriptor number from which on new connections are refused: 90 % of RLIMIT_NOFILE.
int DescriptorRefusalThreshold();

}  // namespace culvert::net
