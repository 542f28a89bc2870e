// The names by which projects, providers, services and regions are known on the wire.
#pragma once

#include <string_view>

namespace culvert {

inline constexpr size_t kMaxNameBytes = 128;

// Before a project's id, in the names that messages carry.
inline constexpr std::string_view kProjectPrefix = "projects/";

// \w[\w.-]{0,127}: a word character, then word characters, dots and dashes, in ASCII.
bool IsResourceId(std::string_view text);

}  // namespace culvert
