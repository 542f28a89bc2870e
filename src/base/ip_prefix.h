// Prefixes of IP addresses, for whoever matches addresses with rules. No sockets, no text of hosts.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert {

// An address as a row of bits, most significant first: 32 of IPv4, 128 of IPv6, 0 of none.
struct IpBits {
  std::array<uint8_t, 16> bytes{};
  int size = 0;

  static IpBits Of(const in_addr& address);
  static IpBits Of(const in6_addr& address);
};

// A default one contains nothing.
class IpPrefix {
 public:
  // The address alone.
  explicit IpPrefix(const IpBits& address) : base_(address), length_(address.size) {}
  IpPrefix() = default;

  // `length` as text, without sign. INVALID_ARGUMENT if the address has not so many bits, or if one
  // behind them is set.
  static absl::StatusOr<IpPrefix> Make(const IpBits& base, std::string_view length);

  // False for an address of the other family.
  bool Contains(const IpBits& address) const;

 private:
  IpBits base_;
  int length_ = 0;
};

}  // namespace culvert
