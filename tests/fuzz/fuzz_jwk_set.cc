// Whatever parses as a JWK set has keys within the limits, which come back from their own text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "crypto/jwk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::crypto::Jwk;
  using culvert::crypto::JwkSet;
  const auto set = JwkSet::FromJson({reinterpret_cast<const char*>(data), size});
  if (!set.ok()) return 0;
  CULVERT_CHECK(!set->keys().empty() && set->keys().size() <= JwkSet::kMostKeys);
  for (const Jwk& one : set->keys()) {
    const auto again = Jwk::FromJson(one.ToJson());
    CULVERT_CHECK(again.ok() && again->key == one.key && again->id == one.id);
  }
  return 0;
}
