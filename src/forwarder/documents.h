// What a file of -f holds, in JSON or YAML. Used inside src/forwarder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "forwarder/json_tree.h"

namespace culvert::forwarder {

inline constexpr size_t kMostFileBytes = size_t{8} << 20;
inline constexpr size_t kMostYamlBytes = size_t{1} << 20;

// The objects in `text`: one or more JSON values after each other, or YAML documents; an array
// stands for its elements, and an empty document for none. INVALID_ARGUMENT, with the name, line
// and column of a mistake, and where there is no object at all.
absl::StatusOr<std::vector<JsonValue>> ReadDocuments(std::string_view text,
                                                     const std::string& name);

}  // namespace culvert::forwarder
