// JSON from strangers, with one reading only. Used inside src/crypto.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert::crypto {

// An object (RFC 8259) and nothing around it. INVALID_ARGUMENT also where a name is there twice in
// one object, which parsers read differently, or where it nests deeper than 8. The caller bounds
// `text`.
absl::StatusOr<nlohmann::json> ParseStrictObject(std::string_view text);

// The member `name` of an object; empty if it is not there. INVALID_ARGUMENT if it is no string.
absl::StatusOr<std::optional<std::string>> TextMember(const nlohmann::json& object,
                                                      const char* name);

}  // namespace culvert::crypto
