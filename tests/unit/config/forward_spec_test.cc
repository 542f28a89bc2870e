#include "config/forward_spec.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

TEST_CASE("ParseForwardSpec follows ssh's grammar with the agent inserted", "[forward_spec]") {
  auto [text, canonical] = GENERATE(table<std::string, std::string>({
      {"2222:edge-1:22", "127.0.0.1:2222:edge-1:127.0.0.1:22"},
      {"0:edge-1:22", "127.0.0.1:0:edge-1:127.0.0.1:22"},
      {"5432:edge-1:db:5432", "127.0.0.1:5432:edge-1:db:5432"},
      {"5432:edge-1:DB.lan:5432", "127.0.0.1:5432:edge-1:db.lan:5432"},
      {"localhost:2222:edge-1:22", "127.0.0.1:2222:edge-1:127.0.0.1:22"},
      {"127.0.0.2:2222:edge-1:22", "127.0.0.2:2222:edge-1:127.0.0.1:22"},
      {"127.0.0.1:2222:edge-1:localhost:22", "127.0.0.1:2222:edge-1:localhost:22"},
      {"*:8080:edge-1:80", "*:8080:edge-1:127.0.0.1:80"},
      {":8080:edge-1:80", "*:8080:edge-1:127.0.0.1:80"},
      {"[::1]:2222:edge-1:22", "[::1]:2222:edge-1:127.0.0.1:22"},
      {"[::1]:2222:edge-1:[fd00::1]:22", "[::1]:2222:edge-1:[fd00::1]:22"},
      {"2222:edge-1:[FD00:0::1]:22", "127.0.0.1:2222:edge-1:[fd00::1]:22"},
      {"[::]:2222:edge-1:22", "[::]:2222:edge-1:127.0.0.1:22"},
      {"[::ffff:127.0.0.1]:2222:edge-1:22", "127.0.0.1:2222:edge-1:127.0.0.1:22"},
      // A first field of digits is the port, whatever follows.
      {"2222:22:22", "127.0.0.1:2222:22:127.0.0.1:22"},
      {"8080:8081:edge:22", "127.0.0.1:8080:8081:edge:22"},
  }));
  CAPTURE(text);
  const auto spec = ParseForwardSpec(text);
  REQUIRE(spec.ok());
  CHECK(spec->ToString() == canonical);
  CHECK(*ParseForwardSpec(canonical) == *spec);
}

TEST_CASE("ParseForwardSpec names the field that is wrong", "[forward_spec]") {
  const std::string form = "expected [bind_address:]port:agent:[host:]hostport";
  const std::string bind_port = "a port to listen on is a number from 0 to 65535";
  const std::string bind_host = "expected an IP address (IPv6 in brackets), localhost or *";
  const std::string agent =
      "a name is 1 to 128 of A-Z, a-z, 0-9, '.', '_', '-' and starts with a letter or digit";
  const std::string port = "a port is a number from 1 to 65535";
  auto [text, message] = GENERATE_COPY(table<std::string, std::string>({
      {"", form},
      {"foo", form},
      {"2222", form},
      {"2222:edge-1", form},
      {"edge-1:22", form},
      {"localhost:2222:edge-1", form},
      {"1:a:b:22:5", form},
      {"127.0.0.1:1:a:b:22:5", form},
      {"[::1:2222:edge-1:22", form},
      {"::1]:2222:edge-1:22", form},
      {"65536:edge-1:22", "port \"65536\": " + bind_port},
      {"01:edge-1:22", "port \"01\": " + bind_port},
      {"foo:edge-1:22:22", "port \"edge-1\": " + bind_port},
      {"localhost::edge-1:22", "port \"\": " + bind_port},
      {"example.com:2222:edge-1:22", "bind address \"example.com\": " + bind_host},
      {"127.1:2222:edge-1:22", "bind address \"127.1\": " + bind_host},
      {"[127.0.0.1]:2222:edge-1:22", "bind address \"[127.0.0.1]\": " + bind_host},
      {"[::1]x:2222:edge-1:22", "bind address \"[::1]x\": " + bind_host},
      {"2222::22", "agent \"\": " + agent},
      {"2222:-a:22", "agent \"-a\": " + agent},
      {"2222:a b:22", "agent \"a b\": " + agent},
      {"2222:[::1]:22", "agent \"[::1]\": " + agent},
      {"2222:edge-1:0", "target \"127.0.0.1:0\": " + port},
      {"2222:edge-1:", "target \"\": expected host:port"},
      {"2222:edge-1:ssh", "target \"ssh\": expected host:port"},
      {"2222:edge-1:db:ssh", "target \"db:ssh\": " + port},
      {"2222:edge-1:db:65536", "target \"db:65536\": " + port},
      {"2222:edge-1::22", "target \":22\": the host is empty"},
      {"2222:edge-1:127.1:22",
       "target \"127.1:22\": an IPv4 address is four decimal numbers without leading zeros"},
      {"2222:edge-1:a\nb:22", "target \"a\\nb:22\": a name consists of a-z, 0-9, '-', '_' and '.'"},
  }));
  CAPTURE(text);
  CHECK(ParseForwardSpec(text).status().message() == message);
}

TEST_CASE("ForwardSpec::Arrow tells the port that was bound", "[forward_spec]") {
  CHECK(ParseForwardSpec("0:edge-1:22")->Arrow(2222) == "127.0.0.1:2222 -> edge-1 127.0.0.1:22");
  CHECK(ParseForwardSpec("[::1]:1:edge-1:[::1]:22")->Arrow(1) == "[::1]:1 -> edge-1 [::1]:22");
  CHECK(ParseForwardSpec(":1:edge-1:db:22")->Arrow(1) == "*:1 -> edge-1 db:22");
}

TEST_CASE("ForwardSpecFrom does not let one part become another", "[forward_spec]") {
  CHECK(ForwardSpecFrom("2222", "edge-1", "22").ok());
  CHECK(ForwardSpecFrom("[::1]:2222", "edge-1", "db:22").ok());
  CHECK_FALSE(ForwardSpecFrom("2222:edge-1", "edge-1", "22").ok());
  CHECK_FALSE(ForwardSpecFrom("2222", "edge-1:db", "22").ok());
  CHECK_FALSE(ForwardSpecFrom("2222", "edge-1", "edge-2:db:22").ok());
  CHECK(ForwardSpecFrom("a:b:c", "d", "1").status().message() == "expected [bind_address:]port");
}

TEST_CASE("ParseConnectSpec reads agent:port and agent:host:port", "[forward_spec]") {
  auto [text, canonical] = GENERATE(table<std::string, std::string>({
      {"edge-1:22", "edge-1:127.0.0.1:22"},
      {"edge-1:DB:5432", "edge-1:db:5432"},
      {"edge-1:[::1]:22", "edge-1:[::1]:22"},
  }));
  CAPTURE(text);
  const auto spec = ParseConnectSpec(text);
  REQUIRE(spec.ok());
  CHECK(spec->ToString() == canonical);
  CHECK(*ParseConnectSpec(canonical) == *spec);
}

TEST_CASE("ParseConnectSpec says what it expected", "[forward_spec]") {
  auto [text, message] = GENERATE(table<std::string, std::string>({
      {"", "expected agent:[host:]port"},
      {"edge-1", "expected agent:[host:]port"},
      {"a:b:c:1", "expected agent:[host:]port"},
      {"a:[::1:22", "expected agent:[host:]port"},
      {"edge-1:ssh", "target \"ssh\": expected host:port"},
      {"edge-1:0", "target \"127.0.0.1:0\": a port is a number from 1 to 65535"},
      {":22",
       "agent \"\": a name is 1 to 128 of A-Z, a-z, 0-9, '.', '_', '-' and starts with a letter or "
       "digit"},
  }));
  CAPTURE(text);
  CHECK(ParseConnectSpec(text).status().message() == message);
}

}  // namespace
}  // namespace culvert::config
