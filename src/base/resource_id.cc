#include "base/resource_id.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace culvert {
namespace {

// absl's are for ASCII in every locale, std::isalnum is not.
bool IsWord(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

bool IsResourceId(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes || !IsWord(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return IsWord(c) || c == '.' || c == '-'; });
}

}  // namespace culvert
