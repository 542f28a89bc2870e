// Words for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace culvert {

// Whole words that were made here of what peers sent: control and non-ASCII bytes are escaped, and
// nothing is that is printable, so that doing it twice changes nothing. For a part of a line that a
// peer chose, Printable() of base/log.h.
std::string PrintableWords(std::string_view words);

}  // namespace culvert
