// Patterns of names: `*` stands for any bytes, also none and dots, `?` for any one, every other
// byte for itself.
#pragma once

#include <string_view>

namespace culvert {

// Takes at most |pattern| * |text| steps and no memory.
bool GlobMatches(std::string_view pattern, std::string_view text);

// A glob of resource ids: 1 to 128 of A-Z, a-z, 0-9, '_', '.', '-', '*', '?'.
bool IsNameGlob(std::string_view text);

}  // namespace culvert
