#include "base/target_pattern.h"

#include "base/glob.h"
#include "base/ip_text.h"
#include "base/status.h"

namespace culvert {
namespace {

constexpr const char* kForm =
    "expected HOST:PORT; HOST is *, an address, a prefix such as 10.0.0.0/8, a name or a glob such "
    "as *.lan, IPv6 in brackets; PORT is a number, a range such as 8000-8100, or *";
constexpr size_t kMaxGlobBytes = 253;

absl::Status Malformed() { return absl::InvalidArgumentError(kForm); }

IpBits BitsOf(const Target& literal) {
  if (literal.kind == Target::HostKind::kIpv4) return IpBits::Of(*ParseDottedQuad(literal.host));
  if (literal.kind == Target::HostKind::kIpv6) return IpBits::Of(*ParseIpv6(literal.host));
  return {};
}

// Whoever writes 10.0.0.* means addresses, and a glob of names never matches one.
absl::Status CheckGlob(std::string_view text) {
  if (text.size() > kMaxGlobBytes ||
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.*?") !=
          std::string_view::npos) {
    return absl::InvalidArgumentError(
        "a glob of names is at most 253 of a-z, 0-9, '-', '_', '.', '*' and '?'");
  }
  const bool has_digit = text.find_first_of("0123456789") != std::string_view::npos;
  if (has_digit && text.find_first_not_of("0123456789.*?") == std::string_view::npos) {
    return absl::InvalidArgumentError("write a set of addresses as a prefix such as 10.0.0.0/8");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TargetPattern> TargetPattern::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (text.size() > kMaxTargetBytes || colon == std::string_view::npos) return Malformed();
  TargetPattern pattern;
  pattern.text_ = std::string(text);
  CULVERT_RETURN_IF_ERROR(pattern.SetPorts(text.substr(colon + 1)));
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  CULVERT_RETURN_IF_ERROR(pattern.SetHost(host, bracketed));
  return pattern;
}

absl::Status TargetPattern::SetHost(std::string_view host, bool bracketed) {
  if (bracketed != (host.find(':') != std::string_view::npos)) return Malformed();
  if (host == "*") return absl::OkStatus();
  if (!bracketed && host.find_first_of("*?") != std::string_view::npos) {
    kind_ = HostKind::kName;
    glob_ = std::string(host);
    return CheckGlob(host);
  }
  const size_t slash = host.find('/');
  const std::string_view base_text = host.substr(0, slash);
  CULVERT_ASSIGN_OR_RETURN(const Target base, ParseHost(base_text));
  // A v4-mapped address has become IPv4: another spelling, and its length would count other bits.
  if (base.host != base_text) {
    return absl::InvalidArgumentError(fmt::format("write it as {}", base.host));
  }
  if (slash != std::string_view::npos) return SetPrefix(base, host.substr(slash + 1));
  kind_ = base.kind == Target::HostKind::kName ? HostKind::kName : HostKind::kPrefix;
  glob_ = base.host;
  prefix_ = IpPrefix(BitsOf(base));
  return absl::OkStatus();
}

absl::Status TargetPattern::SetPrefix(const Target& base, std::string_view length) {
  const bool leading_zero = length.size() > 1 && length.front() == '0';
  if (base.kind == Target::HostKind::kName || leading_zero) return Malformed();
  kind_ = HostKind::kPrefix;
  CULVERT_ASSIGN_OR_RETURN(prefix_, IpPrefix::Make(BitsOf(base), length));
  return absl::OkStatus();
}

absl::Status TargetPattern::SetPorts(std::string_view ports) {
  if (ports == "*") {
    first_port_ = 1;
    last_port_ = 65535;
    return absl::OkStatus();
  }
  const size_t dash = ports.find('-');
  CULVERT_ASSIGN_OR_RETURN(first_port_, ParsePort(ports.substr(0, dash)));
  last_port_ = first_port_;
  if (dash == std::string_view::npos) return absl::OkStatus();
  CULVERT_ASSIGN_OR_RETURN(last_port_, ParsePort(ports.substr(dash + 1)));
  if (first_port_ < last_port_) return absl::OkStatus();
  return absl::InvalidArgumentError("a range of ports goes from the lower to the higher one");
}

bool TargetPattern::Matches(const Target& target) const {
  if (target.port < first_port_ || target.port > last_port_) return false;
  switch (kind_) {
    case HostKind::kAny:
      return true;
    case HostKind::kPrefix:
      return prefix_.Contains(BitsOf(target));
    case HostKind::kName:
      return target.kind == Target::HostKind::kName && GlobMatches(glob_, target.host);
  }
  return false;
}

}  // namespace culvert
