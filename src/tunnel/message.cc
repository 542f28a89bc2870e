#include "tunnel/message.h"

#include <fmt/format.h>

#include <algorithm>

namespace culvert::tunnel {
namespace {

struct Describe {
  std::string operator()(const Data& data) const {
    return fmt::format("Data {} ({} bytes{}{})", data.id, data.bytes.size(),
                       data.end_of_stream ? ", end of stream" : "",
                       data.ack_required ? ", ack required" : "");
  }
  std::string operator()(const Ack& ack) const {
    if (!ack.window) return fmt::format("Ack {}", ack.id);
    return fmt::format("Ack {} (window {})", ack.id, *ack.window);
  }
  std::string operator()(const Close& close) const { return fmt::format("Close {}", close.id); }
  std::string operator()(const Error& error) const {
    return fmt::format("Error {} ({})", error.id, ErrorCodeText(error.code));
  }
};

// Of the UTF-8 character that `text` begins with; 0 if it does not begin with one (RFC 3629: no
// over-long forms, no surrogates, nothing above U+10FFFF).
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t at = 2; at < length; ++at) {
    if ((byte(at) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string CutText(std::string_view text, size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const std::string_view next = length == 0 ? "?" : text.substr(0, length);
    if (out.size() + next.size() > max_bytes) break;
    out.append(next);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string CutErrorText(std::string_view text) { return CutText(text, kMaxErrorText); }

std::string DebugString(const Message& message) { return std::visit(Describe{}, message); }

}  // namespace culvert::tunnel
