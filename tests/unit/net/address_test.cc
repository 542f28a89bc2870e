#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert::net {
namespace {

Address Literal(std::string_view ip, uint16_t port = 1) {
  auto address = Address::FromLiteral(ip, port);
  REQUIRE(address.ok());
  return *address;
}

bool Matches(std::string_view cidr, std::string_view ip) {
  const auto parsed = Cidr::Parse(cidr);
  REQUIRE(parsed.ok());
  return parsed->Contains(Literal(ip));
}

TEST_CASE("Address reads literals and writes them as they are usually written", "[address]") {
  const auto [literal, ip, text] = GENERATE(table<std::string, std::string, std::string>({
      {"127.0.0.1", "127.0.0.1", "127.0.0.1:22"},
      {"255.255.255.255", "255.255.255.255", "255.255.255.255:22"},
      {"::1", "::1", "[::1]:22"},
      {"2001:DB8:0:0::5", "2001:db8::5", "[2001:db8::5]:22"},
      {"::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1:22"},
  }));
  const Address address = Literal(literal, 22);
  CHECK(address.ip() == ip);
  CHECK(address.ToString() == text);
  CHECK(address.port() == 22);
}

TEST_CASE("Address refuses what is no literal", "[address]") {
  const std::string text =
      GENERATE(std::string(), "localhost", "127.1", "0x7f.0.0.1", "010.0.0.1", "1.2.3.4.5", "[::1]",
               "::1%lo", "127.0.0.1 ", std::string("127.0.0.1\0", 10), "fe80::1::2");
  const auto address = Address::FromLiteral(text, 1);
  CHECK(absl::IsInvalidArgument(address.status()));
}

TEST_CASE("Address turns a v4-mapped socket address into IPv4", "[address]") {
  sockaddr_in6 mapped{};
  mapped.sin6_family = AF_INET6;
  mapped.sin6_port = htons(443);
  REQUIRE(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr) == 1);
  const auto address = Address::FromSockaddr(reinterpret_cast<const sockaddr*>(&mapped));
  REQUIRE(address.ok());
  CHECK_FALSE(address->is_ipv6());
  CHECK(address->size() == sizeof(sockaddr_in));
  CHECK(address->ToString() == "192.0.2.7:443");
}

TEST_CASE("Address refuses a socket address that is not IP", "[address]") {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  CHECK(absl::IsInvalidArgument(
      Address::FromSockaddr(reinterpret_cast<const sockaddr*>(&local)).status()));
}

TEST_CASE("Address knows loopback and what is never dialled", "[address]") {
  const auto [ip, loopback, undialable] = GENERATE(table<std::string, bool, bool>({
      {"127.0.0.1", true, false},
      {"127.255.255.254", true, false},
      {"126.255.255.255", false, false},
      {"128.0.0.0", false, false},
      {"::1", true, false},
      {"::2", false, false},
      {"::ffff:127.0.0.1", true, false},
      {"0.0.0.0", false, true},
      {"0.1.2.3", false, true},
      {"::", false, true},
      {"::ffff:0.0.0.0", false, true},
      {"224.0.0.1", false, true},
      {"239.255.255.255", false, true},
      {"ff02::1", false, true},
      {"255.255.255.255", false, true},
      {"10.0.0.1", false, false},
      {"fd00::1", false, false},
  }));
  CAPTURE(ip);
  CHECK(Literal(ip).is_loopback() == loopback);
  CHECK(Literal(ip).is_undialable() == undialable);
}

TEST_CASE("Address compares family, address and port", "[address]") {
  CHECK(Literal("127.0.0.1", 1) == Literal("127.0.0.1", 1));
  CHECK_FALSE(Literal("127.0.0.1", 1) == Literal("127.0.0.1", 2));
  CHECK_FALSE(Literal("127.0.0.1", 1) == Literal("127.0.0.2", 1));
  CHECK(Literal("::1", 1) == Literal("::1", 1));
  CHECK_FALSE(Literal("::1", 1) == Literal("::2", 1));
  CHECK_FALSE(Literal("::", 1) == Literal("0.0.0.0", 1));
}

TEST_CASE("Address by default is none", "[address]") {
  CHECK(Address().is_undialable());
  CHECK_FALSE(Address().is_loopback());
}

TEST_CASE("Address takes another port", "[address]") {
  Address v4 = Literal("127.0.0.1", 1);
  v4.set_port(65535);
  CHECK(v4 == Literal("127.0.0.1", 65535));
  Address v6 = Literal("::1", 1);
  v6.set_port(2);
  CHECK(v6 == Literal("::1", 2));
}

TEST_CASE("Address of the two ends of a socket", "[address]") {
  const auto [one, other] = test::ConnectedPair();
  const auto local = Address::OfSocket(one.get());
  const auto peer = Address::OfPeer(other.get());
  REQUIRE(local.ok());
  REQUIRE(peer.ok());
  CHECK(*local == *peer);
  CHECK(local->ip() == "127.0.0.1");
  CHECK_FALSE(Address::OfPeer(-1).ok());
}

TEST_CASE("Cidr contains the addresses with its prefix", "[address]") {
  const auto [cidr, ip, inside] = GENERATE(table<std::string, std::string, bool>({
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.0.0.0/8", "::ffff:10.1.2.3", true},
      {"172.16.0.0/12", "172.31.255.255", true},
      {"172.16.0.0/12", "172.32.0.0", false},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"192.0.2.128/25", "192.0.2.128", true},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.6", false},
      {"192.0.2.7/32", "192.0.2.7", true},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "::1", true},
      {"::/0", "127.0.0.1", false},
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fe00::1", false},
      {"2001:db8::/33", "2001:db8:7fff::", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::1", "::1", true},
      {"::1/128", "::2", false},
  }));
  CAPTURE(cidr, ip);
  CHECK(Matches(cidr, ip) == inside);
}

TEST_CASE("Cidr refuses what is no prefix", "[address]") {
  const std::string text = GENERATE(
      std::string(), "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8x",
      "10.0.0.0/ 8", "10.0.0.1/8", "192.0.2.129/25", "::/129", "fd00::1/8", "::ffff:10.0.0.0/104",
      "::ffff:10.0.0.1", "example/8", "10.0.0.0/8/8", "10.0.0.0/99999999999999999999");
  CAPTURE(text);
  CHECK(absl::IsInvalidArgument(Cidr::Parse(text).status()));
}

TEST_CASE("Cidr by default contains nothing", "[address]") {
  CHECK_FALSE(Cidr().Contains(Literal("127.0.0.1")));
  CHECK_FALSE(Cidr().Contains(Address()));
}

}  // namespace
}  // namespace culvert::net
