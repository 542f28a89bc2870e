// IP addresses as text, each in exactly one spelling. No name is ever looked up.
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string>
#include <string_view>

namespace culvert {

// Four decimal numbers without leading zeros; none of inet_aton's other spellings.
std::optional<in_addr> ParseDottedQuad(std::string_view text);
std::string FormatIpv4(const in_addr& address);

// Any valid spelling without brackets and zone, as inet_pton reads it.
std::optional<in6_addr> ParseIpv6(std::string_view text);

// The form of RFC 5952 §4: lower case, no leading zeros, the longest run of two or more zero groups
// shortened. Unlike glibc's inet_ntop it writes only hexadecimal groups ("::1:2", not "::0.1.0.2").
std::string FormatIpv6(const in6_addr& address);

}  // namespace culvert
