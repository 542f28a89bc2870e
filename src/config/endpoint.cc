#include "config/endpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/ip_text.h"
#include "base/status.h"
#include "config/units.h"

namespace culvert::config {
namespace {

constexpr std::string_view kLoopback = "127.0.0.1";

bool IsBracketed(std::string_view text) {
  return text.size() >= 2 && text.front() == '[' && text.back() == ']';
}

// Lower case, IPv6 in its RFC 5952 spelling. Brackets stay. Leaves to ParseHost what it cannot
// read.
std::string NormalizedHost(std::string_view text) {
  if (IsBracketed(text)) {
    const std::optional<in6_addr> address = ParseIpv6(text.substr(1, text.size() - 2));
    if (address) return fmt::format("[{}]", FormatIpv6(*address));
  }
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return absl::ascii_tolower(static_cast<unsigned char>(c)); });
  return lower;
}

// A host that may be in brackets if, and only if, it is IPv6.
absl::StatusOr<Target> ParseUserHost(std::string_view text) {
  const std::string host = NormalizedHost(text);
  if (!IsBracketed(host)) {
    if (host.find(':') != std::string::npos) {
      return absl::InvalidArgumentError("an IPv6 address goes in brackets");
    }
    return ParseHost(host);
  }
  const std::string_view inside = std::string_view(host).substr(1, host.size() - 2);
  if (!ParseIpv6(inside)) return absl::InvalidArgumentError("only an IPv6 address is in brackets");
  return ParseHost(inside);
}

}  // namespace

std::string Endpoint::ToString() const {
  if (by_service) return host;
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

std::optional<std::vector<std::string_view>> SplitFields(std::string_view text) {
  std::vector<std::string_view> fields;
  size_t start = 0;
  bool in_brackets = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '[' && in_brackets) || (c == ']' && !in_brackets)) return std::nullopt;
    if (c == '[' || c == ']') in_brackets = c == '[';
    if (c != ':' || in_brackets) continue;
    fields.push_back(text.substr(start, i - start));
    start = i + 1;
  }
  if (in_brackets) return std::nullopt;
  fields.push_back(text.substr(start));
  return fields;
}

std::vector<std::string> ToStrings(const std::vector<Endpoint>& endpoints) {
  std::vector<std::string> texts;
  texts.reserve(endpoints.size());
  for (const Endpoint& endpoint : endpoints) texts.push_back(endpoint.ToString());
  return texts;
}

absl::StatusOr<Endpoint> ParseBroker(std::string_view text) {
  const auto fields = SplitFields(text);
  if (!fields || fields->size() > 2) {
    return absl::InvalidArgumentError("expected HOST:PORT, an IPv6 address in brackets");
  }
  CULVERT_ASSIGN_OR_RETURN(const Target host, ParseUserHost((*fields)[0]));
  Endpoint endpoint{host.host, kControlPort};
  if (fields->size() == 2) {
    CULVERT_ASSIGN_OR_RETURN(endpoint.port, ParsePort((*fields)[1]));
  } else {
    endpoint.by_service = host.kind == Target::HostKind::kName && host.host != "localhost";
  }
  return endpoint;
}

absl::StatusOr<std::string> ParseBindHost(std::string_view text) {
  if (text.empty() || text == kAllInterfaces) return std::string(kAllInterfaces);
  const absl::StatusOr<Target> host = ParseUserHost(text);
  if (host.ok() && host->host == "localhost") return std::string(kLoopback);
  if (!host.ok() || host->kind == Target::HostKind::kName) {
    return absl::InvalidArgumentError("expected an IP address (IPv6 in brackets), localhost or *");
  }
  return host->host;
}

absl::StatusOr<uint16_t> ParseBindPort(std::string_view text) {
  const absl::StatusOr<uint64_t> port = ParseDecimal(text);
  if (!port.ok() || *port > 65535) {
    return absl::InvalidArgumentError("a port to listen on is a number from 0 to 65535");
  }
  return static_cast<uint16_t>(*port);
}

absl::StatusOr<Endpoint> ParseListen(std::string_view text) {
  const auto fields = SplitFields(text);
  if (!fields || fields->size() != 2) {
    return absl::InvalidArgumentError("expected ADDR:PORT, an IPv6 address in brackets");
  }
  CULVERT_ASSIGN_OR_RETURN(std::string host, ParseBindHost((*fields)[0]));
  CULVERT_ASSIGN_OR_RETURN(const uint16_t port, ParseBindPort((*fields)[1]));
  return Endpoint{std::move(host), port};
}

absl::StatusOr<Target> ParseUserTarget(std::string_view text) {
  const bool is_port = text.find_first_not_of("0123456789") == std::string_view::npos;
  if (is_port && !text.empty()) return ParseTarget(fmt::format("{}:{}", kLoopback, text));
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return ParseTarget(text);
  return ParseTarget(NormalizedHost(text.substr(0, colon)).append(text.substr(colon)));
}

absl::StatusOr<std::vector<net::Address>> BindAddresses(const Endpoint& endpoint) {
  std::vector<std::string_view> hosts = {endpoint.host};
  if (endpoint.host == kAllInterfaces) hosts = {"0.0.0.0", "::"};
  std::vector<net::Address> addresses;
  for (std::string_view host : hosts) {
    CULVERT_ASSIGN_OR_RETURN(addresses.emplace_back(),
                             net::Address::FromLiteral(host, endpoint.port));
  }
  return addresses;
}

bool IsLoopback(const Endpoint& endpoint) {
  if (endpoint.host == "localhost") return true;
  const absl::StatusOr<net::Address> address =
      net::Address::FromLiteral(endpoint.host, endpoint.port);
  return address.ok() && address->is_loopback();
}

}  // namespace culvert::config
