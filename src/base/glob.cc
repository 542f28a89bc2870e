#include "base/glob.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/resource_id.h"

namespace culvert {

// On a mismatch only the last star has to take one byte more: what an earlier one could take
// instead, the last one can as well.
bool GlobMatches(std::string_view pattern, std::string_view text) {
  size_t at = 0;
  size_t star = std::string_view::npos;  // the last one passed, and
  size_t taken = 0;                      // where in `text` the rest after it begins
  for (size_t i = 0; i < text.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      taken = i;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[i])) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool IsNameGlob(std::string_view text) {
  constexpr std::string_view kOthers = "_.-*?";
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  kOthers.find(c) != std::string_view::npos;
         });
}

}  // namespace culvert
