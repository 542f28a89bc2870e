// Test vectors as RFCs print them.
#pragma once

#include <string>
#include <string_view>

namespace culvert::test {

// Of lower-case digits without spaces.
inline std::string FromHex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1]));
  return bytes;
}

}  // namespace culvert::test
