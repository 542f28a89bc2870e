// YAML as JSON: the only place that parses it. Used inside src/forwarder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "forwarder/json_tree.h"

namespace culvert::forwarder {

// The documents of `text`, in which plain scalars have the types of YAML's core schema: `yes` and
// 1.10.0 are text, true and 010 are not. What has quotes is text. INVALID_ARGUMENT, with NAME:LINE:
// COLUMN, for what is no YAML, and for what could mean more than one thing or grow: aliases, keys
// that are there twice or are no text, tags of one's own. The caller bounds `text`.
absl::StatusOr<std::vector<JsonValue>> ReadYaml(std::string_view text, const std::string& name);

}  // namespace culvert::forwarder
