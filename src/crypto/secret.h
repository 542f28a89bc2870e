// Bytes that must not stay in memory longer than they are needed.
#pragma once

#include <array>
#include <cstddef>

namespace culvert::crypto {

// Overwrites `memory`, in a way that no compiler leaves out.
void Wipe(void* memory, size_t size);

// `kSize` octets, zero at first, wiped with their owner. Neither copied nor moved: a copy would
// have to be wiped too.
template <size_t kSize>
class Secret {
 public:
  Secret() = default;
  ~Secret() { Wipe(octets_.data(), octets_.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  static constexpr size_t size() { return kSize; }
  unsigned char* data() { return octets_.data(); }
  const unsigned char* data() const { return octets_.data(); }

 private:
  std::array<unsigned char, kSize> octets_{};
};

}  // namespace culvert::crypto
