// The names by which programs know each other. Messages say what was expected; the caller adds the
// text and where it stood.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert::config {

// [A-Za-z0-9][A-Za-z0-9._-]{0,127}
absl::StatusOr<std::string> ParseAgentName(std::string_view text);

// "ID" or "projects/ID", ID = \w[\w.-]{0,127}. The result is always "projects/ID".
absl::StatusOr<std::string> ParseProject(std::string_view text);

// Empty (the broker's own), or an ID as above.
absl::StatusOr<std::string> ParseRegion(std::string_view text);

// Empty, or a lower-case DNS name.
absl::StatusOr<std::string> ParseServiceDomain(std::string_view text);

// `text` made an agent name: other bytes become '-'. "culvert" where nothing is left.
std::string CleanName(std::string_view text);

}  // namespace culvert::config
