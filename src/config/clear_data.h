// --e2e and --allow-clear-data: what may go without end-to-end encryption, and which way.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "config/setting.h"
#include "culvert/client.h"

namespace culvert::config {

// "required" or "off".
absl::StatusOr<EndToEndChoice> ParseEndToEnd(std::string_view text);

// Of a forwarder. `end_to_end` outlives it.
Setting EndToEndSetting(EndToEndChoice& end_to_end);

// `allow` outlives it. `when` ends the sentence: without what else it is of no use.
Setting ClearDataSetting(bool& allow, const std::string& when);

}  // namespace culvert::config
