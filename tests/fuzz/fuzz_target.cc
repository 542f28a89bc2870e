// The target of a channel arrives from the network: no crash, and what is accepted has one
// spelling.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<culvert::Target> target = culvert::ParseTarget(text);
  if (!target.ok()) return 0;
  CULVERT_CHECK(text.size() <= culvert::kMaxTargetBytes);
  CULVERT_CHECK(target->port != 0);
  const std::string canonical = target->ToString();
  // Only a v4-mapped address has another spelling than its own.
  constexpr std::string_view kMapped = "[::ffff:";
  const bool v4_mapped = text.substr(0, kMapped.size()) == kMapped;
  CULVERT_CHECK(canonical == text || v4_mapped);
  CULVERT_CHECK(*culvert::ParseTarget(canonical) == *target);
  return 0;
}
