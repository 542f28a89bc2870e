#include "base/ip_prefix.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/status.h"

namespace culvert {
namespace {

bool SamePrefix(const IpBits& a, const IpBits& b, int length) {
  const auto whole = static_cast<size_t>(length / 8);
  const int rest = length % 8;
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + whole, b.bytes.begin())) return false;
  return rest == 0 || ((a.bytes[whole] ^ b.bytes[whole]) >> (8 - rest)) == 0;
}

template <class Raw>
IpBits BitsFrom(const Raw& address) {
  IpBits bits;
  static_assert(sizeof(address) <= sizeof(bits.bytes));
  std::memcpy(bits.bytes.data(), &address, sizeof(address));
  bits.size = static_cast<int>(8 * sizeof(address));
  return bits;
}

}  // namespace

IpBits IpBits::Of(const in_addr& address) { return BitsFrom(address); }
IpBits IpBits::Of(const in6_addr& address) { return BitsFrom(address); }

absl::StatusOr<IpPrefix> IpPrefix::Make(const IpBits& base, std::string_view length) {
  IpPrefix prefix(base);
  const char* const end = length.data() + length.size();
  const auto [parsed, error] = std::from_chars(length.data(), end, prefix.length_);
  if (error != std::errc() || parsed != end || prefix.length_ < 0 || prefix.length_ > base.size) {
    return absl::InvalidArgumentError(fmt::format("the length must be 0 to {}", base.size));
  }
  for (int bit = prefix.length_; bit < base.size; ++bit) {
    const auto byte = static_cast<size_t>(bit / 8);
    if ((base.bytes[byte] >> (7 - bit % 8)) & 1) {
      return absl::InvalidArgumentError("bits after the prefix are set");
    }
  }
  return prefix;
}

bool IpPrefix::Contains(const IpBits& address) const {
  return address.size == base_.size && base_.size > 0 && SamePrefix(address, base_, length_);
}

}  // namespace culvert
