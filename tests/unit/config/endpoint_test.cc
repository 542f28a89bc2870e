#include "config/endpoint.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

TEST_CASE("ParseBroker reads a host and fills in the port", "[endpoint]") {
  auto [text, host, port] = GENERATE(table<std::string, std::string, uint16_t>({
      {"broker.example:443", "broker.example", 443},
      {"broker.example", "broker.example", 7400},
      {"Broker.Example", "broker.example", 7400},
      {"127.0.0.1:7400", "127.0.0.1", 7400},
      {"[::1]:1", "::1", 1},
      {"[::1]", "::1", 7400},
      {"[FD00:0::1]", "fd00::1", 7400},
      {"[::ffff:10.0.0.1]:5", "10.0.0.1", 5},
      {"localhost", "localhost", 7400},
  }));
  CAPTURE(text);
  const auto endpoint = ParseBroker(text);
  REQUIRE(endpoint.ok());
  CHECK(endpoint->host == host);
  CHECK(endpoint->port == port);
  CHECK(*ParseBroker(endpoint->ToString()) == *endpoint);
}

TEST_CASE("A broker's name without a port is by service", "[endpoint]") {
  CHECK(ParseBroker("broker.example")->by_service);
  CHECK(ParseBroker("broker.example")->ToString() == "broker.example");
  CHECK_FALSE(
      ParseBroker(GENERATE("broker.example:7400", "localhost", "10.0.0.1", "[::1]"))->by_service);
}

TEST_CASE("ParseBroker refuses what is no host", "[endpoint]") {
  const std::string text =
      GENERATE("", ":7400", "a:", "a:0", "a:65536", "a:b:c", "::1", "[::1", "::1]", "[a]:1",
               "[127.0.0.1]", "7400", "127.1", "a b", "http://a", "*", "[fe80::1%lo]");
  CAPTURE(text);
  CHECK(ParseBroker(text).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("ParseListen reads an address and a port", "[endpoint]") {
  auto [text, canonical] = GENERATE(table<std::string, std::string>({
      {"127.0.0.1:7400", "127.0.0.1:7400"},
      {"127.0.0.1:0", "127.0.0.1:0"},
      {"0.0.0.0:7400", "0.0.0.0:7400"},
      {"[::1]:7400", "[::1]:7400"},
      {"[::]:7400", "[::]:7400"},
      {"[::FFFF:127.0.0.1]:1", "127.0.0.1:1"},
      {"localhost:7400", "127.0.0.1:7400"},
      {"LocalHost:7400", "127.0.0.1:7400"},
      {"*:7400", "*:7400"},
      {":7400", "*:7400"},
  }));
  CAPTURE(text);
  const auto endpoint = ParseListen(text);
  REQUIRE(endpoint.ok());
  CHECK(endpoint->ToString() == canonical);
  CHECK(*ParseListen(canonical) == *endpoint);
}

TEST_CASE("ParseListen says what it expected", "[endpoint]") {
  auto [text, message] = GENERATE(table<std::string, std::string>({
      {"", "expected ADDR:PORT, an IPv6 address in brackets"},
      {"7400", "expected ADDR:PORT, an IPv6 address in brackets"},
      {"127.0.0.1", "expected ADDR:PORT, an IPv6 address in brackets"},
      {"::1:7400", "expected ADDR:PORT, an IPv6 address in brackets"},
      {"[::1:7400", "expected ADDR:PORT, an IPv6 address in brackets"},
      {"example.com:7400", "expected an IP address (IPv6 in brackets), localhost or *"},
      {"127.1:7400", "expected an IP address (IPv6 in brackets), localhost or *"},
      {"[127.0.0.1]:7400", "expected an IP address (IPv6 in brackets), localhost or *"},
      {"127.0.0.1:", "a port to listen on is a number from 0 to 65535"},
      {"127.0.0.1:65536", "a port to listen on is a number from 0 to 65535"},
      {"127.0.0.1:00", "a port to listen on is a number from 0 to 65535"},
      {"127.0.0.1:http", "a port to listen on is a number from 0 to 65535"},
  }));
  CAPTURE(text);
  CHECK(ParseListen(text).status().message() == message);
}

TEST_CASE("ParseUserTarget brings what users write into the form of ParseTarget", "[endpoint]") {
  auto [text, canonical] = GENERATE(table<std::string, std::string>({
      {"22", "127.0.0.1:22"},
      {"localhost:22", "localhost:22"},
      {"DB.Internal:5432", "db.internal:5432"},
      {"[FD00::0001]:22", "[fd00::1]:22"},
      {"[::1:2]:22", "[::1:2]:22"},
      {"[::FFFF:1.2.3.4]:22", "1.2.3.4:22"},
  }));
  CAPTURE(text);
  REQUIRE(ParseUserTarget(text).ok());
  CHECK(ParseUserTarget(text)->ToString() == canonical);
}

TEST_CASE("ParseUserTarget refuses what ParseTarget would after all", "[endpoint]") {
  const std::string text = GENERATE("", "0", "65536", "022", "a", "a:0", ":22", "127.1:22",
                                    "[a]:22", "::1:22", "[fe80::1%lo]:22", "010.0.0.1:22");
  CAPTURE(text);
  CHECK_FALSE(ParseUserTarget(text).ok());
}

TEST_CASE("BindAddresses is every interface of both families for the asterisk", "[endpoint]") {
  const auto all = BindAddresses({"*", 80});
  REQUIRE(all.ok());
  REQUIRE(all->size() == 2);
  CHECK((*all)[0].ToString() == "0.0.0.0:80");
  CHECK((*all)[1].ToString() == "[::]:80");
  const auto one = BindAddresses({"::1", 0});
  REQUIRE(one.ok());
  REQUIRE(one->size() == 1);
  CHECK(one->front().ToString() == "[::1]:0");
  CHECK_FALSE(BindAddresses({"example.com", 80}).ok());
}

TEST_CASE("IsLoopback is false unless it is certain", "[endpoint]") {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"}) {
    CAPTURE(host);
    CHECK(IsLoopback({host, 1}));
  }
  for (const char* host : {"*", "0.0.0.0", "::", "10.0.0.1", "example.com", ""}) {
    CAPTURE(host);
    CHECK_FALSE(IsLoopback({host, 1}));
  }
}

}  // namespace
}  // namespace culvert::config
