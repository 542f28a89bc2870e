// The patterns of LIKE: % stands for any characters, also none, _ for any one, every other one for
// itself, and after a backslash %, _ and backslash do too. Characters are those of UTF-8. Any
// thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace culvert::resource {

inline constexpr size_t kMostPatternBytes = 256;

// INVALID_ARGUMENT if `pattern` is too long, or has a backslash in front of something else.
absl::Status CheckLikePattern(std::string_view pattern);

// Whether the whole of `text` fits, with its case. Takes a time in proportion to |text|, whatever
// the pattern, which has passed CheckLikePattern.
bool LikeMatches(std::string_view pattern, std::string_view text);

}  // namespace culvert::resource
