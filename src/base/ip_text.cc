#include "base/ip_text.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace culvert {
namespace {

constexpr size_t kGroups = 8;
using Groups = std::array<uint16_t, kGroups>;

Groups GroupsOf(const in6_addr& address) {
  Groups groups{};
  for (size_t i = 0; i < kGroups; ++i) {
    groups[i] = static_cast<uint16_t>(address.s6_addr[2 * i] << 8 | address.s6_addr[2 * i + 1]);
  }
  return groups;
}

struct Run {
  size_t start = 0;
  size_t length = 0;
};

// The run that "::" stands for: the longest, the first of equals, never a single group.
Run LongestZeroRun(const Groups& groups) {
  Run best;
  for (size_t i = 0; i < kGroups;) {
    size_t end = i;
    while (end < kGroups && groups[end] == 0) ++end;
    if (end - i >= 2 && end - i > best.length) best = {i, end - i};
    i = end == i ? i + 1 : end;
  }
  return best;
}

// inet_pton wants a terminated string; text with a NUL inside must not end early.
bool HasOnly(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

std::optional<in_addr> ParseDottedQuad(std::string_view text) {
  in_addr address{};
  if (!HasOnly(text, "0123456789.") || text.size() >= INET_ADDRSTRLEN) return std::nullopt;
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  // A libc that accepts leading zeros would read them as decimal and others as octal.
  if (FormatIpv4(address) != text) return std::nullopt;
  return address;
}

std::string FormatIpv4(const in_addr& address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &address, text.data(), text.size());
  return text.data();
}

std::optional<in6_addr> ParseIpv6(std::string_view text) {
  in6_addr address{};
  if (!HasOnly(text, "0123456789abcdefABCDEF:.") || text.size() >= INET6_ADDRSTRLEN) {
    return std::nullopt;
  }
  if (inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return address;
}

std::string FormatIpv6(const in6_addr& address) {
  const Groups groups = GroupsOf(address);
  const Run zeros = LongestZeroRun(groups);
  std::string text;
  for (size_t i = 0; i < kGroups;) {
    if (zeros.length > 0 && i == zeros.start) {
      text += "::";
      i += zeros.length;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    text += fmt::format("{:x}", groups[i]);
    ++i;
  }
  return text;
}

}  // namespace culvert
