#include "base/target_pattern.h"

#include <string>

#include "base/status.h"
#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("Target pattern matches names by name and addresses by address", "[target_pattern]") {
  const auto [pattern, target, matches] = GENERATE(table<std::string, std::string, bool>({
      {"*:*", "10.0.0.1:1", true},
      {"*:*", "[::1]:65535", true},
      {"*:*", "db.lan:5432", true},
      {"*:22", "db.lan:23", false},
      {"10.0.0.1:22", "10.0.0.1:22", true},
      {"10.0.0.1:22", "10.0.0.2:22", false},
      {"10.0.0.0/8:*", "10.255.0.1:80", true},
      {"10.0.0.0/8:*", "11.0.0.1:80", false},
      {"10.0.0.0/8:*", "localhost:80", false},
      {"0.0.0.0/0:*", "[::1]:80", false},
      {"[fd00::/8]:22", "[fdff::1]:22", true},
      {"[fd00::/8]:22", "[fe80::1]:22", false},
      {"[::1]:22", "[::1]:22", true},
      {"10.0.0.0/8:22", "[::ffff:10.0.0.1]:22", true},
      {"db.lan:5432", "db.lan:5432", true},
      {"db.lan:5432", "db2.lan:5432", false},
      {"*.lan:5432", "db.lan:5432", true},
      {"*.lan:5432", "a.db.lan:5432", true},
      {"*.lan:5432", "lan:5432", false},
      {"db?.lan:*", "db1.lan:1", true},
      {"1*.lan:*", "10.0.0.1:1", false},
      {"**:22", "10.0.0.1:22", false},
      {"db.lan:8000-8100", "db.lan:8000", true},
      {"db.lan:8000-8100", "db.lan:8100", true},
      {"db.lan:8000-8100", "db.lan:7999", false},
      {"db.lan:8000-8100", "db.lan:8101", false},
  }));
  CAPTURE(pattern, target);
  const auto parsed = TargetPattern::Parse(pattern);
  REQUIRE(parsed.ok());
  CHECK(parsed->Matches(*ParseTarget(target)) == matches);
  CHECK(parsed->ToString() == pattern);
}

TEST_CASE("Target pattern says what it expected", "[target_pattern]") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"", "expected HOST:PORT"},
      {"*", "expected HOST:PORT"},
      {"db.lan", "expected HOST:PORT"},
      {":22", "the host is empty"},
      {"db.lan:", "port"},
      {"db.lan:0", "port"},
      {"db.lan:022", "port"},
      {"db.lan:65536", "port"},
      {"db.lan:2-1", "from the lower to the higher"},
      {"db.lan:2-2", "from the lower to the higher"},
      {"db.lan:1-", "port"},
      {"db.lan:1-2-3", "port"},
      {"DB.lan:22", "a name consists of"},
      {"*.LAN:22", "a glob of names is"},
      {"a b*:22", "a glob of names is"},
      {"10.0.0.*:22", "as a prefix such as"},
      {"10.*:22", "as a prefix such as"},
      {"10.0.0.1/8:22", "bits after the prefix"},
      {"10.0.0.0/33:22", "the length must be"},
      {"10.0.0.0/:22", "the length must be"},
      {"10.0.0.0/08:22", "expected HOST:PORT"},
      {"db.lan/8:22", "expected HOST:PORT"},
      {"*.lan/8:22", "a glob of names is"},
      {"::1:22", "expected HOST:PORT"},
      {"[10.0.0.1]:22", "expected HOST:PORT"},
      {"[*]:22", "expected HOST:PORT"},
      {"[::ffff:10.0.0.1]:22", "write it as 10.0.0.1"},
      {"[FD00::]:22", "write it as fd00::"},
  }));
  CAPTURE(text);
  const auto parsed = TargetPattern::Parse(text);
  REQUIRE(absl::IsInvalidArgument(parsed.status()));
  CHECK(MessageOf(parsed.status()).find(message) != std::string_view::npos);
}

TEST_CASE("Target pattern has a limit", "[target_pattern]") {
  CHECK(TargetPattern::Parse(std::string(253, '*') + ":22").ok());
  CHECK_FALSE(TargetPattern::Parse(std::string(254, '*') + ":22").ok());
  CHECK_FALSE(TargetPattern::Parse(std::string(100000, '*') + ":22").ok());
}

}  // namespace
}  // namespace culvert
