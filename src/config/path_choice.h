// --path: what may carry a connection.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "config/setting.h"
#include "culvert/client.h"

namespace culvert::config {

// "auto" or "stream".
absl::StatusOr<PathChoice> ParsePathChoice(std::string_view text);

// `path` outlives it.
Setting PathSetting(PathChoice& path);

}  // namespace culvert::config
