// Where to listen and whom to dial, as a user writes it. Messages say what was expected; the caller
// adds the text and where it stood.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/target.h"
#include "net/address.h"

namespace culvert::config {

inline constexpr uint16_t kControlPort = 7400;
inline constexpr uint16_t kWebPort = 7490;
inline constexpr std::string_view kAllInterfaces = "*";

// `host` is an address without brackets, a lower-case name, or kAllInterfaces where one can listen.
struct Endpoint {
  std::string host;
  uint16_t port = 0;
  // The name of a broker without a port: DNS may say where it is, by SRV; `port` is where it is if
  // DNS says nothing.
  bool by_service = false;

  // "127.0.0.1:7400", "[::1]:7400", "*:7400"; "example.org" by service.
  std::string ToString() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

std::vector<std::string> ToStrings(const std::vector<Endpoint>& endpoints);

// HOST or HOST:PORT. The port is 7400 unless said, and then a name is by service, but localhost.
absl::StatusOr<Endpoint> ParseBroker(std::string_view text);

// ADDR:PORT with port 0 allowed; ADDR as in ParseBindHost.
absl::StatusOr<Endpoint> ParseListen(std::string_view text);

// An IPv4 address, an IPv6 address in brackets, `localhost` (which is 127.0.0.1), or `*` or nothing
// for all interfaces. Names are not resolved: what one listens on must not depend on a resolver.
absl::StatusOr<std::string> ParseBindHost(std::string_view text);

// 0 to 65535.
absl::StatusOr<uint16_t> ParseBindPort(std::string_view text);

// What a user may write for a target: upper-case names and every spelling of an IPv6 address are
// brought into the one form of ParseTarget, and a bare port is one on 127.0.0.1.
absl::StatusOr<Target> ParseUserTarget(std::string_view text);

// The fields between the colons outside of brackets, brackets kept. Nothing where they do not
// match.
std::optional<std::vector<std::string_view>> SplitFields(std::string_view text);

// The addresses to bind: one, or 0.0.0.0 and :: for kAllInterfaces.
absl::StatusOr<std::vector<net::Address>> BindAddresses(const Endpoint& endpoint);

// False for kAllInterfaces and for names other than "localhost".
bool IsLoopback(const Endpoint& endpoint);

}  // namespace culvert::config
