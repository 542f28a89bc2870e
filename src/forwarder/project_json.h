// Projects as JSON, in protobuf's own mapping, and back. Used inside src/forwarder only.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "forwarder/json_tree.h"
#include "ntt/proxies/v1/project.pb.h"

namespace culvert::forwarder {

using ntt::proxies::v1::Project;

// Names of fields in camelCase; int64 is text.
JsonValue ProjectToJson(const Project& project);

// Names of fields in camelCase or snake_case. INVALID_ARGUMENT, in one line that begins with
// `where`, for a field that there is not, or a value of the wrong type.
absl::StatusOr<Project> ProjectFromJson(const JsonValue& json, const std::string& where);

// The projects in a file of -f; "-" is standard input. Blocks.
absl::StatusOr<std::vector<Project>> ReadProjects(const std::string& file);

}  // namespace culvert::forwarder
