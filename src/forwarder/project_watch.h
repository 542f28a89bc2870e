// `culvert projects watch`. Used inside src/forwarder only.
#pragma once

#include "absl/status/status.h"
#include "config/forwarder_config.h"

namespace culvert::forwarder {

// Prints until a signal comes, which is OK. CANCELLED when nobody reads any more. Once the broker
// has answered, it may go away: this goes on where it was.
absl::Status WatchProjects(const config::ForwarderConfig& config);

}  // namespace culvert::forwarder
