// What a peer sends as a key rotation: no crash, and nobody signs without the key.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "crypto/key_rotation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace crypto = culvert::crypto;
  // Three parts, each after one byte that says how long it is.
  const std::string input(reinterpret_cast<const char*>(data), size);
  size_t at = 0;
  const auto take = [&] {
    if (at >= input.size()) return std::string();
    const size_t length = static_cast<unsigned char>(input[at++]);
    std::string part = input.substr(at, length);
    at += part.size();
    return part;
  };
  const crypto::SpiffeId id{"culvert.internal", "p", crypto::SpiffeId::Role::kAgent, "a"};
  const crypto::KeyRotation rotation{take(), take(), id.ToString(), 1'700'000'000, take()};
  const auto keys = crypto::CheckKeyRotation(rotation, id);
  if (!keys.ok()) return 0;
  CULVERT_CHECK(keys->old_key.id().size() == 52);
  CULVERT_CHECK(crypto::CheckKeyChain({rotation}, id, keys->old_key.id(), keys->new_key.id()).ok());
  return 0;
}
