#include "base/printable_words.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace culvert {

std::string PrintableWords(std::string_view words) {
  std::string out;
  out.reserve(words.size());
  for (const char byte : words) {
    if (absl::ascii_isprint(static_cast<unsigned char>(byte))) {
      out += byte;
    } else {
      out += absl::CHexEscape(std::string(1, byte));
    }
  }
  return out;
}

}  // namespace culvert
