// Splits a command line by a table of settings: the only place that knows cxxopts. Used inside
// src/config only.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/setting.h"

namespace culvert::config {

struct Arguments {
  std::vector<FlagValue> flags;         // in their order; a switch without argument is "true"
  std::vector<std::string> positional;  // in their order
};

// `args` is what follows the command. Values are not looked at. INVALID_ARGUMENT names the flag.
absl::StatusOr<Arguments> SplitArguments(const Settings& settings,
                                         const std::vector<std::string>& args);

}  // namespace culvert::config
