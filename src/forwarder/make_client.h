// The Client of the forwarder's commands.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "config/forwarder_config.h"
#include "culvert/client.h"

namespace culvert::forwarder {

inline constexpr char kProgram[] = "culvert";

// The error is what the process ends with (config::kExitUsage).
absl::StatusOr<std::unique_ptr<Client>> MakeClient(const config::ForwarderConfig& config);

}  // namespace culvert::forwarder
