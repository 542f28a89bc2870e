// -L, and the argument of connect: no crash, and what is accepted survives ToString.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/forward_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto spec = culvert::config::ParseForwardSpec(text); spec.ok()) {
    CULVERT_CHECK(*culvert::config::ParseForwardSpec(spec->ToString()) == *spec);
    CULVERT_CHECK(*culvert::ParseTarget(spec->target.ToString()) == spec->target);
    CULVERT_CHECK(culvert::config::BindAddresses(spec->bind()).ok());
  }
  if (const auto spec = culvert::config::ParseConnectSpec(text); spec.ok()) {
    CULVERT_CHECK(*culvert::config::ParseConnectSpec(spec->ToString()) == *spec);
    CULVERT_CHECK(*culvert::ParseTarget(spec->target.ToString()) == spec->target);
  }
  return 0;
}
