#include "base/ip_text.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("FormatIpv6 writes the form of RFC 5952", "[ip_text]") {
  auto [text, canonical] = GENERATE(table<std::string, std::string>({
      {"0:0:0:0:0:0:0:0", "::"},
      {"0:0:0:0:0:0:0:1", "::1"},
      {"1:0:0:0:0:0:0:0", "1::"},
      {"2001:DB8::0001", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // §4.2.2: never a single group
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // §4.2.3: the longest
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // §4.2.3: the first of equals
      {"0:0:1:0:0:0:0:0", "0:0:1::"},
      {"0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1"},
      {"::1.2.3.4", "::102:304"},
      {"::ffff:1.2.3.4", "::ffff:102:304"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  }));
  const auto address = ParseIpv6(text);
  REQUIRE(address.has_value());
  CHECK(FormatIpv6(*address) == canonical);
}

TEST_CASE("ParseDottedQuad takes no other spelling of an IPv4 address", "[ip_text]") {
  CHECK(FormatIpv4(*ParseDottedQuad("10.0.0.255")) == "10.0.0.255");
  for (const char* text :
       {"", "1", "1.2.3", "1.2.3.4.", "01.2.3.4", "1.2.3.256", "1.2.3.4 ", "0x1.2.3.4"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDottedQuad(text).has_value());
  }
}

TEST_CASE("ParseIpv6 takes neither brackets nor zones", "[ip_text]") {
  for (const char* text : {"", "[::1]", "fe80::1%lo", "1.2.3.4", "::1 ", "g::"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseIpv6(text).has_value());
  }
}

}  // namespace
}  // namespace culvert
