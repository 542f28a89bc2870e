#include "config/allow_rule.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

AllowList Rules(const std::vector<std::string>& texts) {
  AllowList list;
  for (const std::string& text : texts) {
    auto rule = AllowRule::Parse(text);
    REQUIRE(rule.ok());
    list.Add(*std::move(rule));
  }
  return list;
}

Target Asked(const std::string& text) { return *ParseTarget(text); }

net::Address At(const std::string& ip, uint16_t port) {
  return *net::Address::FromLiteral(ip, port);
}

TEST_CASE("AllowRule reads names, addresses and prefixes", "[allow]") {
  auto [text, name_rule] = GENERATE(table<std::string, bool>({
      {"localhost:22", true},
      {"db.internal:5432", true},
      {"db.internal:*", true},
      {"127.0.0.1:22", false},
      {"127.0.0.1:*", false},
      {"10.0.0.0/8:443", false},
      {"0.0.0.0/0:*", false},
      {"10.1.2.3/32:1", false},
      {"[::1]:22", false},
      {"[fd00::/8]:*", false},
      {"[::/0]:65535", false},
  }));
  CAPTURE(text);
  const auto rule = AllowRule::Parse(text);
  REQUIRE(rule.ok());
  CHECK(rule->is_name_rule() == name_rule);
  CHECK(rule->ToString() == text);
}

TEST_CASE("AllowRule turns a v4-mapped address into IPv4", "[allow]") {
  CHECK(AllowRule::Parse("[::ffff:10.0.0.1]:22")->ToString() == "10.0.0.1:22");
}

TEST_CASE("AllowRule refuses what is not exact", "[allow]") {
  const std::string text = GENERATE(values<std::string>({"",
                                                         "localhost",
                                                         "localhost:",
                                                         "localhost:0",
                                                         "localhost:65536",
                                                         "localhost:022",
                                                         ":22",
                                                         ":*",
                                                         "*",
                                                         "*:22",
                                                         "*:*",
                                                         "*.lan:22",
                                                         "LOCALHOST:22",
                                                         "127.1:22",
                                                         "010.0.0.1:22",
                                                         "::1:22",
                                                         "fd00::/8:*",
                                                         "[127.0.0.1]:22",
                                                         "[10.0.0.0/8]:22",
                                                         "[localhost]:22",
                                                         "[FD00::/8]:*",
                                                         "[fd00:0::/32]:*",
                                                         "[::ffff:10.0.0.0/104]:*",
                                                         "10.0.0.0/33:*",
                                                         "[fd00::/129]:*",
                                                         "10.0.0.0/:*",
                                                         "10.0.0.0/-1:*",
                                                         "10.0.0.0/08:*",
                                                         "10.0.0.0/8/8:*",
                                                         "10.0.0.1/8:*",
                                                         "10.0.0/8:*",
                                                         "10/8:*",
                                                         "localhost/8:*",
                                                         "[fd00::1/8]:*",
                                                         "/8:*",
                                                         "10.0.0.0/8",
                                                         "a b:22",
                                                         "localhost:ssh",
                                                         "localhost:**",
                                                         "[::1]:22 "}));
  CAPTURE(text);
  const auto status = AllowRule::Parse(text).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(status.message().find('\n') == absl::string_view::npos);
}

TEST_CASE("AllowRule says what it expected", "[allow]") {
  const std::string form =
      "expected HOST:PORT, HOST:*, CIDR:PORT or CIDR:*, IPv6 in brackets such as [fd00::/8]:*";
  CHECK(AllowRule::Parse("foo").status().message() == form);
  CHECK(AllowRule::Parse("::1:22").status().message() == form);
  CHECK(AllowRule::Parse("a:b").status().message() ==
        "port \"b\": a port is a number from 1 to 65535");
  CHECK(AllowRule::Parse("10.0.0.0/33:*").status().message() == "a prefix length is from 0 to 32");
  CHECK(AllowRule::Parse("[::/129]:*").status().message() == "a prefix length is from 0 to 128");
  CHECK(AllowRule::Parse("DB:1").status().message() ==
        "host \"DB\": a name consists of a-z, 0-9, '-', '_' and '.'");
}

TEST_CASE("AllowList allows nothing by default", "[allow]") {
  const AllowList none;
  CHECK_FALSE(none.MayAskFor(Asked("localhost:22")));
  CHECK_FALSE(none.MayAskFor(Asked("127.0.0.1:22")));
  CHECK_FALSE(none.Allows(Asked("localhost:22"), At("127.0.0.1", 22)));
}

TEST_CASE("A name rule matches the name as asked, whatever it resolves to", "[allow]") {
  const AllowList list = Rules({"db.lan:5432", "web.lan:*"});
  CHECK(list.MayAskFor(Asked("db.lan:5432")));
  CHECK(list.Allows(Asked("db.lan:5432"), At("10.0.0.5", 5432)));
  CHECK(list.Allows(Asked("db.lan:5432"), At("fd00::5", 5432)));
  CHECK(list.Allows(Asked("web.lan:1"), At("10.0.0.5", 1)));
  CHECK(list.Allows(Asked("web.lan:65535"), At("10.0.0.5", 65535)));

  CHECK_FALSE(list.MayAskFor(Asked("db.lan:22")));
  CHECK_FALSE(list.Allows(Asked("db.lan:22"), At("10.0.0.5", 22)));
  CHECK_FALSE(list.MayAskFor(Asked("other.lan:5432")));
  CHECK_FALSE(list.MayAskFor(Asked("a.db.lan:5432")));
  // The address behind an allowed name is not allowed by itself.
  CHECK_FALSE(list.MayAskFor(Asked("10.0.0.5:5432")));
  CHECK_FALSE(list.Allows(Asked("10.0.0.5:5432"), At("10.0.0.5", 5432)));
}

TEST_CASE("An address rule matches what is dialled, whatever name led there", "[allow]") {
  const AllowList list = Rules({"10.0.0.0/8:22", "[fd00::/8]:*", "127.0.0.1:80"});
  CHECK(list.MayAskFor(Asked("host.lan:22")));
  CHECK(list.Allows(Asked("host.lan:22"), At("10.1.2.3", 22)));
  CHECK(list.Allows(Asked("host.lan:22"), At("fd12::1", 22)));
  CHECK_FALSE(list.Allows(Asked("host.lan:22"), At("11.1.2.3", 22)));
  CHECK_FALSE(list.Allows(Asked("host.lan:22"), At("127.0.0.1", 22)));

  CHECK(list.MayAskFor(Asked("10.1.2.3:22")));
  CHECK(list.Allows(Asked("10.1.2.3:22"), At("10.1.2.3", 22)));
  CHECK(list.MayAskFor(Asked("[fd00::1]:9")));
  CHECK(list.MayAskFor(Asked("127.0.0.1:80")));
  CHECK(list.MayAskFor(Asked("[::ffff:127.0.0.1]:80")));
  CHECK_FALSE(list.MayAskFor(Asked("10.1.2.3:23")));
  CHECK_FALSE(list.MayAskFor(Asked("127.0.0.2:80")));
  CHECK_FALSE(list.MayAskFor(Asked("[::1]:80")));
}

TEST_CASE("AllowList does not resolve for a port that no rule has", "[allow]") {
  CHECK_FALSE(Rules({"10.0.0.0/8:22"}).MayAskFor(Asked("host.lan:23")));
  CHECK_FALSE(Rules({"host.lan:22"}).MayAskFor(Asked("host.lan:23")));
}

TEST_CASE("AllowList never allows an undialable address", "[allow]") {
  const AllowList list = Rules({"host.lan:*", "0.0.0.0/0:*", "[::/0]:*"});
  const std::string ip =
      GENERATE("0.0.0.0", "::", "224.0.0.1", "239.1.1.1", "ff02::1", "255.255.255.255");
  CAPTURE(ip);
  CHECK_FALSE(list.Allows(Asked("host.lan:22"), At(ip, 22)));
  Target literal = *ParseHost(ip);
  literal.port = 22;
  CHECK_FALSE(list.MayAskFor(literal));
}

TEST_CASE("AllowList allows the port that was asked for only", "[allow]") {
  const AllowList list = Rules({"host.lan:22", "10.0.0.0/8:22"});
  CHECK_FALSE(list.Allows(Asked("host.lan:22"), At("10.0.0.1", 23)));
  CHECK_FALSE(list.Allows(Asked("host.lan:23"), At("10.0.0.1", 22)));
}

}  // namespace
}  // namespace culvert::config
