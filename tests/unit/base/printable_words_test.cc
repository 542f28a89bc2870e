#include "base/printable_words.h"

#include <string>

#include "base/log.h"
#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("PrintableWords leaves no way to write to a terminal, and what is printable",
          "[printable_words]") {
  CHECK(PrintableWords("user \"a\\b\" isn't here: 3 %") == "user \"a\\b\" isn't here: 3 %");
  CHECK(PrintableWords("\x1b]0;x\x07\r\n\x7f\xc2\x9b") == "\\x1b]0;x\\x07\\r\\n\\x7f\\xc2\\x9b");
  CHECK(PrintableWords(std::string(1'000, 'x')) == std::string(1'000, 'x'));
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string once = PrintableWords(all);
  for (const char c : once) CHECK((c >= 0x20 && c < 0x7f));
  CHECK(PrintableWords(once) == once);
  const std::string printable = Printable(all);
  CHECK(PrintableWords(printable) == printable);
}

}  // namespace
}  // namespace culvert
