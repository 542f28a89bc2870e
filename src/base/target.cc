#include "base/target.h"

#include <algorithm>
#include <cstring>

#include "base/ip_text.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert {
namespace {

constexpr size_t kMaxNameBytes = 253;  // RFC 1035 §2.3.4, without the length bytes
constexpr size_t kMaxLabelBytes = 63;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); }
bool IsNameByte(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }

absl::Status Invalid(const std::string& reason) { return absl::InvalidArgumentError(reason); }

// A last label that inet_aton could take for the last part of an address: "1", "0x1f", "0x".
bool IsNumericLabel(std::string_view label) {
  if (std::all_of(label.begin(), label.end(), IsDigit)) return true;
  if (label.substr(0, 2) != "0x") return false;
  return std::all_of(label.begin() + 2, label.end(), IsHexDigit);
}

absl::Status CheckLabel(std::string_view label) {
  if (label.empty()) return Invalid("a name has no empty labels and no trailing dot");
  if (label.size() > kMaxLabelBytes) return Invalid("a label of a name has at most 63 bytes");
  if (!std::all_of(label.begin(), label.end(), IsNameByte)) {
    return Invalid("a name consists of a-z, 0-9, '-', '_' and '.'");
  }
  if (label.front() == '-' || label.back() == '-') {
    return Invalid("a label neither starts nor ends with '-'");
  }
  return absl::OkStatus();
}

absl::StatusOr<Target> NameFrom(std::string_view text) {
  if (text.size() > kMaxNameBytes) return Invalid("a name has at most 253 bytes");
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find('.', start), text.size());
    CULVERT_RETURN_IF_ERROR(CheckLabel(text.substr(start, end - start)));
    start = end + 1;
  }
  if (IsNumericLabel(text.substr(text.rfind('.') + 1))) {
    return Invalid("an IPv4 address is four decimal numbers without leading zeros");
  }
  return Target{Target::HostKind::kName, std::string(text), 0};
}

absl::StatusOr<Target> Ipv6From(std::string_view text) {
  const std::optional<in6_addr> address = ParseIpv6(text);
  if (!address) return Invalid("not an IPv6 address (RFC 5952, without zone)");
  const std::string canonical = FormatIpv6(*address);
  if (IN6_IS_ADDR_V4MAPPED(&*address)) {
    in_addr v4{};
    std::memcpy(&v4, &address->s6_addr[12], sizeof v4);
    const std::string quad = FormatIpv4(v4);
    // RFC 5952 knows two forms here: §4 (hexadecimal) and §5 (mixed).
    if (text == canonical || text == "::ffff:" + quad) {
      return Target{Target::HostKind::kIpv4, quad, 0};
    }
  }
  if (text != canonical) return Invalid(fmt::format("write it as {} (RFC 5952)", canonical));
  return Target{Target::HostKind::kIpv6, canonical, 0};
}

absl::StatusOr<Target> HostFrom(std::string_view text) {
  if (text.empty()) return Invalid("the host is empty");
  if (text.find(':') != std::string_view::npos) return Ipv6From(text);
  if (ParseDottedQuad(text)) return Target{Target::HostKind::kIpv4, std::string(text), 0};
  return NameFrom(text);
}

absl::StatusOr<uint16_t> PortFrom(std::string_view text) {
  constexpr uint32_t kMax = 65535;
  uint32_t port = 0;
  const bool digits = std::all_of(text.begin(), text.end(), IsDigit);
  if (digits && !text.empty() && text.size() <= 5 && text.front() != '0') {
    for (char c : text) port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  if (port == 0 || port > kMax) return Invalid("a port is a number from 1 to 65535");
  return static_cast<uint16_t>(port);
}

absl::StatusOr<Target> TargetFrom(std::string_view text) {
  if (text.size() > kMaxTargetBytes) return Invalid("longer than 300 bytes");
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Invalid("expected host:port");
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed != (host.find(':') != std::string_view::npos)) {
    return Invalid("an IPv6 address, and nothing else, is in brackets");
  }
  CULVERT_ASSIGN_OR_RETURN(Target target, HostFrom(host));
  CULVERT_ASSIGN_OR_RETURN(target.port, PortFrom(text.substr(colon + 1)));
  return target;
}

// What `kind` of thing was wrong, in front of why.
absl::Status Naming(std::string_view kind, std::string_view text, const absl::Status& why) {
  return Annotate(why, fmt::format("{} \"{}\"", kind, Printable(text)));
}

}  // namespace

std::string Target::ToString() const {
  if (kind == HostKind::kIpv6) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

absl::StatusOr<Target> ParseTarget(std::string_view text) {
  absl::StatusOr<Target> target = TargetFrom(text);
  if (!target.ok()) return Naming("target", text, target.status());
  return target;
}

absl::StatusOr<Target> ParseHost(std::string_view host) {
  absl::StatusOr<Target> target = HostFrom(host);
  if (!target.ok()) return Naming("host", host, target.status());
  return target;
}

absl::StatusOr<uint16_t> ParsePort(std::string_view text) {
  absl::StatusOr<uint16_t> port = PortFrom(text);
  if (!port.ok()) return Naming("port", text, port.status());
  return port;
}

}  // namespace culvert
