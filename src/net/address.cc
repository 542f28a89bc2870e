#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/status.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

const sockaddr_in& V4(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr_in&>(storage);
}
sockaddr_in& V4(sockaddr_storage& storage) { return reinterpret_cast<sockaddr_in&>(storage); }
const sockaddr_in6& V6(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr_in6&>(storage);
}
sockaddr_in6& V6(sockaddr_storage& storage) { return reinterpret_cast<sockaddr_in6&>(storage); }

uint32_t HostOrder(const sockaddr_storage& v4) { return ntohl(V4(v4).sin_addr.s_addr); }

bool SameV6(const in6_addr& a, const in6_addr& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

IpBits BitsOf(const Address& address) {
  if (address.is_ipv6()) {
    return IpBits::Of(reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr);
  }
  if (address.get()->sa_family != AF_INET) return {};
  return IpBits::Of(reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr);
}

}  // namespace

absl::StatusOr<Address> Address::FromSockaddr(const sockaddr* address) {
  Address result;
  if (address->sa_family == AF_INET) {
    std::memcpy(&result.storage_, address, sizeof(sockaddr_in));
    return result;
  }
  if (address->sa_family != AF_INET6) {
    return absl::InvalidArgumentError(
        fmt::format("address family {} is not IP", address->sa_family));
  }
  std::memcpy(&result.storage_, address, sizeof(sockaddr_in6));
  const sockaddr_in6 v6 = V6(result.storage_);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    result.storage_ = {};
    sockaddr_in& v4 = V4(result.storage_);
    v4.sin_family = AF_INET;
    v4.sin_port = v6.sin6_port;
    std::memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
  }
  return result;
}

absl::StatusOr<Address> Address::FromLiteral(std::string_view ip, uint16_t port) {
  const std::string text(ip);
  sockaddr_storage storage{};
  if (inet_pton(AF_INET, text.c_str(), &V4(storage).sin_addr) == 1) {
    V4(storage).sin_family = AF_INET;
    V4(storage).sin_port = htons(port);
  } else if (inet_pton(AF_INET6, text.c_str(), &V6(storage).sin6_addr) == 1) {
    V6(storage).sin6_family = AF_INET6;
    V6(storage).sin6_port = htons(port);
  } else {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is not an IP address", Printable(ip)));
  }
  // inet_pton stops at a NUL inside `ip`; nobody else would.
  if (ip.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is not an IP address", Printable(ip)));
  }
  return FromSockaddr(reinterpret_cast<const sockaddr*>(&storage));
}

absl::StatusOr<Address> Address::OfSocket(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return ErrnoStatus(errno, "local address");
  }
  return FromSockaddr(reinterpret_cast<const sockaddr*>(&storage));
}

absl::StatusOr<Address> Address::OfPeer(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return ErrnoStatus(errno, "peer address");
  }
  return FromSockaddr(reinterpret_cast<const sockaddr*>(&storage));
}

socklen_t Address::size() const { return is_ipv6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }

bool Address::is_loopback() const {
  if (is_ipv6()) return IN6_IS_ADDR_LOOPBACK(&V6(storage_).sin6_addr);
  return storage_.ss_family == AF_INET && (HostOrder(storage_) >> 24) == 127;
}

bool Address::is_undialable() const {
  if (is_ipv6()) {
    const in6_addr& ip = V6(storage_).sin6_addr;
    return IN6_IS_ADDR_UNSPECIFIED(&ip) || IN6_IS_ADDR_MULTICAST(&ip);
  }
  if (storage_.ss_family != AF_INET) return true;
  const uint32_t ip = HostOrder(storage_);
  // 0.0.0.0/8 is "this host", 224.0.0.0/4 multicast.
  return (ip >> 24) == 0 || (ip >> 28) == 0xe || ip == 0xffffffff;
}

uint16_t Address::port() const {
  return ntohs(is_ipv6() ? V6(storage_).sin6_port : V4(storage_).sin_port);
}

void Address::set_port(uint16_t port) {
  if (is_ipv6()) {
    V6(storage_).sin6_port = htons(port);
  } else {
    V4(storage_).sin_port = htons(port);
  }
}

std::string Address::ip() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = &V4(storage_).sin_addr;
  if (is_ipv6()) bytes = &V6(storage_).sin6_addr;
  const int family = is_ipv6() ? AF_INET6 : AF_INET;
  return inet_ntop(family, bytes, text.data(), static_cast<socklen_t>(text.size()));
}

std::string Address::ToString() const {
  return is_ipv6() ? fmt::format("[{}]:{}", ip(), port()) : fmt::format("{}:{}", ip(), port());
}

bool operator==(const Address& a, const Address& b) {
  if (a.storage_.ss_family != b.storage_.ss_family || a.port() != b.port()) return false;
  if (!a.is_ipv6()) return HostOrder(a.storage_) == HostOrder(b.storage_);
  return SameV6(V6(a.storage_).sin6_addr, V6(b.storage_).sin6_addr) &&
         V6(a.storage_).sin6_scope_id == V6(b.storage_).sin6_scope_id;
}

absl::StatusOr<Cidr> Cidr::Parse(std::string_view text) {
  const auto invalid = [text](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("prefix \"{}\": {}", Printable(text), why));
  };
  const size_t slash = text.find('/');
  const auto base = Address::FromLiteral(text.substr(0, slash), 0);
  if (!base.ok()) return invalid("not an IP address");
  // A v4-mapped one has become IPv4, and its length would count something else.
  if (!base->is_ipv6() && text.find(':') < slash) return invalid("write it as IPv4");

  const IpBits bits = BitsOf(*base);
  Cidr cidr;
  cidr.prefix_ = IpPrefix(bits);
  if (slash == std::string_view::npos) return cidr;
  auto prefix = IpPrefix::Make(bits, text.substr(slash + 1));
  if (!prefix.ok()) return invalid(MessageOf(prefix.status()));
  cidr.prefix_ = *prefix;
  return cidr;
}

bool Cidr::Contains(const Address& address) const { return prefix_.Contains(BitsOf(address)); }

}  // namespace culvert::net
