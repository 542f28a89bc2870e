// What a `tcp` channel is asked to reach: `host:port`, in the one grammar that forwarder, broker
// and agent share (docs/protocol.md, "arg of tcp").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert {

// A parsed target. `host` is a dotted quad, an IPv6 address in RFC 5952 form without brackets, or a
// lower-case DNS name.
struct Target {
  enum class HostKind { kIpv4, kIpv6, kName };
  HostKind kind = HostKind::kName;
  std::string host;
  uint16_t port = 0;

  // `host:port`, IPv6 in brackets: the form that travels in `arg`. Parses back to an equal Target.
  std::string ToString() const;
  friend bool operator==(const Target&, const Target&) = default;
};

// At most this many bytes of text are looked at.
inline constexpr size_t kMaxTargetBytes = 300;

// Strict: IPv6 in brackets and without zone, v4-mapped turned into v4, a lower-case DNS name of at
// most 253 bytes whose last label is not numeric. Whatever else inet_aton takes ("0", "127.1",
// "0x7f.1", "010.0.0.1") is refused, so that no two parsers can read one target differently. Port 1
// to 65535, decimal without leading zeros. INVALID_ARGUMENT with a one-line reason otherwise.
absl::StatusOr<Target> ParseTarget(std::string_view text);

// The host part alone, without brackets, by the same rules. Sets only kind and host.
absl::StatusOr<Target> ParseHost(std::string_view host);

// 1 to 65535, decimal, without sign or leading zeros.
absl::StatusOr<uint16_t> ParsePort(std::string_view text);

}  // namespace culvert
