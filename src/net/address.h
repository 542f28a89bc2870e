// IP socket addresses.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/ip_prefix.h"

namespace culvert::net {

// An IPv4 or IPv6 address with a port. v4-mapped IPv6 is turned into IPv4 on the way in.
class Address {
 public:
  static absl::StatusOr<Address> FromSockaddr(const sockaddr* address);
  // A literal address, IPv6 without brackets. INVALID_ARGUMENT for anything else (names too).
  static absl::StatusOr<Address> FromLiteral(std::string_view ip, uint16_t port);
  // The address of this or the other end of a connected socket.
  static absl::StatusOr<Address> OfSocket(int fd);
  static absl::StatusOr<Address> OfPeer(int fd);

  // A default one has no family: it is only a place for a real one.
  Address() = default;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const;
  bool is_ipv6() const { return storage_.ss_family == AF_INET6; }
  bool is_loopback() const;
  // 0.0.0.0, ::, multicast or broadcast: never dialled.
  bool is_undialable() const;
  uint16_t port() const;
  void set_port(uint16_t port);
  // "127.0.0.1", "::1".
  std::string ip() const;
  // "127.0.0.1:22", "[::1]:22".
  std::string ToString() const;
  friend bool operator==(const Address& a, const Address& b);

 private:
  sockaddr_storage storage_{};
};

// A prefix such as 10.0.0.0/8 or fd00::/8. A bare address is a full-length prefix. Bits set behind
// the prefix are INVALID_ARGUMENT, as is a v4-mapped IPv6 address. A default one contains nothing.
class Cidr {
 public:
  static absl::StatusOr<Cidr> Parse(std::string_view text);
  bool Contains(const Address& address) const;

 private:
  IpPrefix prefix_;
};

}  // namespace culvert::net
