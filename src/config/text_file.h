// Files that a command is given by name.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace culvert::config {

// FAILED_PRECONDITION if it cannot be read, INVALID_ARGUMENT if it has more than `most` bytes.
// Errors name the file. Blocks.
absl::StatusOr<std::string> ReadFile(const std::string& name, size_t most);

// The same; "-" is standard input.
absl::StatusOr<std::string> ReadFileOrStdin(const std::string& name, size_t most);

}  // namespace culvert::config
