#include "config/allow_rule.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "config/units.h"

namespace culvert::config {
namespace {

constexpr const char* kForm =
    "expected HOST:PORT, HOST:*, CIDR:PORT or CIDR:*, IPv6 in brackets such as [fd00::/8]:*";
constexpr uint64_t kIpv4Bits = 32;
constexpr uint64_t kIpv6Bits = 128;

// `text` is "ADDRESS/LENGTH". Both in their one spelling, so that ToString is too.
absl::StatusOr<net::Cidr> ParsePrefix(std::string_view text, bool bracketed) {
  const size_t slash = text.find('/');
  CULVERT_ASSIGN_OR_RETURN(const Target base, ParseHost(text.substr(0, slash)));
  const bool is_ipv6 = base.kind == Target::HostKind::kIpv6;
  if (base.kind == Target::HostKind::kName || is_ipv6 != bracketed) {
    return absl::InvalidArgumentError(kForm);
  }
  const uint64_t bits = is_ipv6 ? kIpv6Bits : kIpv4Bits;
  const absl::StatusOr<uint64_t> length = ParseDecimal(text.substr(slash + 1));
  if (!length.ok() || *length > bits) {
    return absl::InvalidArgumentError(fmt::format("a prefix length is from 0 to {}", bits));
  }
  return net::Cidr::Parse(text);
}

}  // namespace

absl::StatusOr<AllowRule> AllowRule::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return absl::InvalidArgumentError(kForm);
  AllowRule rule;
  const std::string_view port = text.substr(colon + 1);
  if (port != "*") {
    CULVERT_ASSIGN_OR_RETURN(rule.port_, ParsePort(port));
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed != (host.find(':') != std::string_view::npos)) {
    return absl::InvalidArgumentError(kForm);
  }
  rule.host_ = std::string(host);
  if (host.find('/') != std::string_view::npos) {
    CULVERT_ASSIGN_OR_RETURN(rule.prefix_, ParsePrefix(host, bracketed));
    return rule;
  }
  CULVERT_ASSIGN_OR_RETURN(const Target parsed, ParseHost(host));
  rule.host_ = parsed.host;  // v4-mapped has become IPv4
  if (parsed.kind != Target::HostKind::kName) {
    CULVERT_ASSIGN_OR_RETURN(rule.prefix_, net::Cidr::Parse(parsed.host));
  }
  return rule;
}

bool AllowRule::MatchesName(const Target& asked) const {
  return is_name_rule() && asked.kind == Target::HostKind::kName && asked.host == host_;
}

bool AllowRule::MatchesAddress(const net::Address& address) const {
  return prefix_ && prefix_->Contains(address);
}

std::string AllowRule::ToString() const {
  const std::string port = port_ ? fmt::format("{}", *port_) : "*";
  const bool is_ipv6 = host_.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host_, port) : fmt::format("{}:{}", host_, port);
}

bool AllowList::MayAskFor(const Target& asked) const {
  if (asked.kind != Target::HostKind::kName) {
    const absl::StatusOr<net::Address> address = net::Address::FromLiteral(asked.host, asked.port);
    return address.ok() && Allows(asked, *address);
  }
  return std::any_of(rules_.begin(), rules_.end(), [&asked](const AllowRule& rule) {
    return rule.MatchesPort(asked.port) && (!rule.is_name_rule() || rule.MatchesName(asked));
  });
}

bool AllowList::Allows(const Target& asked, const net::Address& resolved) const {
  if (resolved.is_undialable() || resolved.port() != asked.port) return false;
  return std::any_of(rules_.begin(), rules_.end(), [&](const AllowRule& rule) {
    return rule.MatchesPort(asked.port) &&
           (rule.MatchesName(asked) || rule.MatchesAddress(resolved));
  });
}

}  // namespace culvert::config
