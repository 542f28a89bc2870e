// A target of a policy rule, matched with a target of the network: no crash, and no pattern matches
// what its parts do not say. The input is PATTERN, a zero byte, TARGET.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/target_pattern.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::Target;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const std::string_view text = input.substr(0, end);
  const auto pattern = culvert::TargetPattern::Parse(text);
  if (!pattern.ok()) return 0;
  CULVERT_CHECK(text.size() <= culvert::kMaxTargetBytes);
  CULVERT_CHECK(pattern->ToString() == text);
  // A pattern that is a target matches itself.
  if (const auto itself = culvert::ParseTarget(text); itself.ok()) {
    CULVERT_CHECK(pattern->Matches(*itself));
  }
  if (end == std::string_view::npos) return 0;
  const auto target = culvert::ParseTarget(input.substr(end + 1));
  if (!target.ok()) return 0;
  const bool matches = pattern->Matches(*target);
  const bool is_name = target->kind == Target::HostKind::kName;
  // Prefixes are of addresses only.
  if (is_name && text.find('/') != std::string_view::npos) CULVERT_CHECK(!matches);
  return 0;
}
