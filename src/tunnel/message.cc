#include "tunnel/message.h"

#include <fmt/format.h>

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

}  // namespace

std::string CutErrorText(std::string text) {
  if (text.size() <= kMaxErrorText) return text;
  size_t size = kMaxErrorText;
  const auto continues = [&](size_t at) { return (text[at] & '\xC0') == '\x80'; };
  while (size > 0 && continues(size)) --size;
  text.resize(size);
  return text;
}

std::string DebugString(const Message& message) { return std::visit(Describe{}, message); }

}  // namespace culvert::tunnel
