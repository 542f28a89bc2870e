// culvert forward.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "config/forwarder_config.h"

namespace culvert::forwarder {

using ParseAgain = std::function<absl::StatusOr<config::Parsed<config::ForwarderConfig>>()>;

// Listens on every -L and forwards until a signal ends it. Returns the exit code.
int RunForward(const config::ForwarderConfig& config, const ParseAgain& parse);

}  // namespace culvert::forwarder
