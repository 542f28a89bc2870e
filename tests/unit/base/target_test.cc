#include "base/target.h"

#include <string>
#include <tuple>

#include "tests/support/catch.h"

namespace culvert {
namespace {

using Kind = Target::HostKind;

TEST_CASE("ParseTarget reads one spelling of every target", "[target]") {
  auto [text, kind, host, port] = GENERATE(table<std::string, Kind, std::string, uint16_t>({
      {"127.0.0.1:22", Kind::kIpv4, "127.0.0.1", 22},
      {"0.0.0.0:1", Kind::kIpv4, "0.0.0.0", 1},
      {"255.255.255.255:65535", Kind::kIpv4, "255.255.255.255", 65535},
      {"[::1]:22", Kind::kIpv6, "::1", 22},
      {"[::]:22", Kind::kIpv6, "::", 22},
      {"[fe80::1]:5432", Kind::kIpv6, "fe80::1", 5432},
      {"[2001:db8::1:0:0:1]:80", Kind::kIpv6, "2001:db8::1:0:0:1", 80},
      {"[1:2:3:4:5:6:7:8]:80", Kind::kIpv6, "1:2:3:4:5:6:7:8", 80},
      {"[2001:db8:0:1:1:1:1:1]:80", Kind::kIpv6, "2001:db8:0:1:1:1:1:1", 80},
      {"[1::]:80", Kind::kIpv6, "1::", 80},
      {"[::1:2]:80", Kind::kIpv6, "::1:2", 80},
      {"localhost:5432", Kind::kName, "localhost", 5432},
      {"db.internal:5432", Kind::kName, "db.internal", 5432},
      {"_ldap._tcp.example:389", Kind::kName, "_ldap._tcp.example", 389},
      {"a:1", Kind::kName, "a", 1},
      {"1a:1", Kind::kName, "1a", 1},
      {"10.example:1", Kind::kName, "10.example", 1},
      {"xn--bcher-kva.example:443", Kind::kName, "xn--bcher-kva.example", 443},
      {"a--b:1", Kind::kName, "a--b", 1},
      {"0xg:1", Kind::kName, "0xg", 1},
  }));
  CAPTURE(text);
  const absl::StatusOr<Target> target = ParseTarget(text);
  REQUIRE(target.ok());
  CHECK(target->kind == kind);
  CHECK(target->host == host);
  CHECK(target->port == port);
  CHECK(target->ToString() == text);
}

TEST_CASE("ParseTarget turns a v4-mapped address into IPv4", "[target]") {
  const std::string text = GENERATE("[::ffff:10.1.2.3]:22", "[::ffff:a01:203]:22");
  CAPTURE(text);
  const absl::StatusOr<Target> target = ParseTarget(text);
  REQUIRE(target.ok());
  CHECK(target->kind == Kind::kIpv4);
  CHECK(target->ToString() == "10.1.2.3:22");
}

TEST_CASE("ParseTarget refuses what another parser could read differently", "[target]") {
  const std::string text = GENERATE(values<std::string>({
      // what inet_aton takes
      "0:22",
      "127.1:22",
      "127.0.1:22",
      "2130706433:22",
      "0x7f000001:22",
      "0x7f.1:22",
      "127.0x1:22",
      "0x:22",
      "010.0.0.1:22",
      "127.0.0.01:22",
      "1.2.3.4.5:22",
      "256.0.0.1:22",
      "1.2.3.:22",
      "1.2.3.4.:22",
      "1.2.3.4 :22",
      " 1.2.3.4:22",
      "a.1:22",
      "a.0x1f:22",
      // IPv6 in other spellings
      "[::FFFF:10.0.0.1]:22",
      "[FD00::1]:22",
      "[0:0:0:0:0:0:0:1]:22",
      "[::01]:22",
      "[2001:db8:0:0:1:0:0:1]:22",
      "[2001:db8:0:0:1::1]:22",
      "[2001:db8::1:1:1:1:1]:22",
      "[::0.1.0.2]:22",
      "[64:ff9b::1.2.3.4]:22",
      "[fe80::1%lo]:22",
      "[fe80::1%1]:22",
      "[::1::]:22",
      "[1:2:3:4:5:6:7::]:22",
      "[:]:22",
      "[1:2:3]:22",
      "[12345::]:22",
      "[::ffff:010.0.0.1]:22",
      // brackets
      "::1:22",
      "[::1:22",
      "::1]:22",
      "[]:22",
      "[127.0.0.1]:22",
      "[localhost]:22",
      "[[::1]]:22",
      "[::1]",
      "[::1]22",
      "x[::1]:22",
      "[::1]x:22",
      // names
      "",
      ":",
      ":22",
      "localhost",
      "LOCALHOST:22",
      "Db.internal:22",
      "a..b:22",
      ".a:22",
      "a.:22",
      "-a:22",
      "a-:22",
      "a.-b:22",
      "a b:22",
      "a/b:22",
      "a,b:22",
      "a@b:22",
      "*:22",
      "a:b:22",
      "caf\xc3\xa9:22",
      "a\n:22",
      // ports
      "a:",
      "a:0",
      "a:00",
      "a:022",
      "a:65536",
      "a:99999",
      "a:100000",
      "a:4294967318",
      "a:+22",
      "a:-1",
      "a: 22",
      "a:22 ",
      "a:0x16",
      "a:ssh",
      "a:22\n",
      "a:*",
  }));
  CAPTURE(text);
  const absl::StatusOr<Target> target = ParseTarget(text);
  REQUIRE(target.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(target.status().message().find('\n') == std::string_view::npos);
  CHECK(target.status().message().substr(0, 8) == "target \"");
}

TEST_CASE("ParseTarget looks past no NUL byte", "[target]") {
  CHECK_FALSE(ParseTarget(std::string("127.0.0.1\0:22", 13)).ok());
  CHECK_FALSE(ParseTarget(std::string("[::1\0]:22", 9)).ok());
  CHECK_FALSE(ParseTarget(std::string("a\0b:22", 6)).ok());
  CHECK_FALSE(ParseTarget(std::string("a:22\0", 5)).ok());
}

TEST_CASE("ParseTarget holds the lengths of a label, a name and a target", "[target]") {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  CHECK(ParseTarget(label + ":1").ok());
  CHECK_FALSE(ParseTarget(label + "a:1").ok());
  CHECK(longest.size() == 253);
  CHECK(ParseTarget(longest + ":65535").ok());
  CHECK_FALSE(ParseTarget(longest + "b:65535").ok());
  CHECK_FALSE(ParseTarget(std::string(1 << 20, 'a')).ok());
}

TEST_CASE("ParseTarget says what is wrong in one line", "[target]") {
  auto [text, message] = GENERATE(table<std::string, std::string>({
      {"foo", "target \"foo\": expected host:port"},
      {":22", "target \":22\": the host is empty"},
      {"a:0", "target \"a:0\": a port is a number from 1 to 65535"},
      {"A:1", "target \"A:1\": a name consists of a-z, 0-9, '-', '_' and '.'"},
      {"a.:1", "target \"a.:1\": a name has no empty labels and no trailing dot"},
      {"-a:1", "target \"-a:1\": a label neither starts nor ends with '-'"},
      {"127.1:1",
       "target \"127.1:1\": an IPv4 address is four decimal numbers without leading zeros"},
      {"::1:22", "target \"::1:22\": an IPv6 address, and nothing else, is in brackets"},
      {"[::1%lo]:1", "target \"[::1%lo]:1\": not an IPv6 address (RFC 5952, without zone)"},
      {"[FD00::1]:1", "target \"[FD00::1]:1\": write it as fd00::1 (RFC 5952)"},
      {"a\n:1", "target \"a\\n:1\": a name consists of a-z, 0-9, '-', '_' and '.'"},
  }));
  CHECK(ParseTarget(text).status().message() == message);
}

TEST_CASE("ParseHost follows the rules of ParseTarget, without brackets", "[target]") {
  CHECK(ParseHost("::1")->kind == Kind::kIpv6);
  CHECK(ParseHost("::ffff:1.2.3.4")->host == "1.2.3.4");
  CHECK(ParseHost("db")->host == "db");
  CHECK(ParseHost("[::1]").status().message().substr(0, 14) == "host \"[::1]\": ");
  CHECK_FALSE(ParseHost("").ok());
  CHECK_FALSE(ParseHost("127.1").ok());
  CHECK_FALSE(ParseHost("a:1").ok());
}

TEST_CASE("ParsePort takes 1 to 65535 and nothing else", "[target]") {
  CHECK(*ParsePort("1") == 1);
  CHECK(*ParsePort("65535") == 65535);
  for (const char* text : {"", "0", "65536", "01", "-1", "1 ", "x"})
    CHECK_FALSE(ParsePort(text).ok());
}

}  // namespace
}  // namespace culvert
