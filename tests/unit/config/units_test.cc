#include "config/units.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr uint64_t kMiB = 1048576;

TEST_CASE("ParseDuration reads a number and its unit", "[units]") {
  auto [text, duration] = GENERATE(table<std::string, Duration>({{"30s", seconds(30)},
                                                                 {"500ms", milliseconds(500)},
                                                                 {"2m", minutes(2)},
                                                                 {"1h", hours(1)},
                                                                 {"30", seconds(30)},
                                                                 {"0", seconds(0)},
                                                                 {"0ms", seconds(0)},
                                                                 {"8760h", hours(8760)}}));
  CAPTURE(text);
  REQUIRE(ParseDuration(text).ok());
  CHECK(*ParseDuration(text) == duration);
  CHECK(*ParseDuration(FormatDuration(duration)) == duration);
}

TEST_CASE("ParseDuration refuses everything else", "[units]") {
  const std::string text = GENERATE("", "s", "ms", "-1s", "+1s", "1.5s", "1 s", "1d", "1S", "01s",
                                    "1s ", "8761h", "18446744073709551616s", "99999999999h");
  CAPTURE(text);
  CHECK(ParseDuration(text).status().message() ==
        "expected a duration such as 30s, 500ms, 2m, 1h or a number of seconds, at most 8760h");
}

TEST_CASE("ParsePositiveDuration refuses 0", "[units]") {
  CHECK(ParsePositiveDuration("1ms").ok());
  CHECK(ParsePositiveDuration("0s").status().message() == "expected more than 0");
  CHECK_FALSE(ParsePositiveDuration("x").ok());
}

TEST_CASE("FormatDuration takes the largest unit that divides", "[units]") {
  CHECK(FormatDuration(seconds(30)) == "30s");
  CHECK(FormatDuration(seconds(90)) == "90s");
  CHECK(FormatDuration(minutes(2)) == "2m");
  CHECK(FormatDuration(hours(1)) == "1h");
  CHECK(FormatDuration(milliseconds(1500)) == "1500ms");
  CHECK(FormatDuration(seconds(0)) == "0s");
}

TEST_CASE("ParseMemorySize reads a number and its unit, a power of 1024", "[units]") {
  auto [text, bytes] = GENERATE(table<std::string, uint64_t>({{"256MiB", 256 * kMiB},
                                                              {"64M", 64 * kMiB},
                                                              {"1GiB", 1024 * kMiB},
                                                              {"1G", 1024 * kMiB},
                                                              {"1024KiB", kMiB},
                                                              {"2048K", 2 * kMiB},
                                                              {"1048576", kMiB},
                                                              {"1048577", kMiB + 1},
                                                              {"1024G", 1048576 * kMiB}}));
  CAPTURE(text);
  REQUIRE(ParseMemorySize(text).ok());
  CHECK(*ParseMemorySize(text) == bytes);
  CHECK(*ParseMemorySize(FormatMemorySize(bytes)) == bytes);
}

TEST_CASE("ParseMemorySize refuses what is ambiguous, too small or too large", "[units]") {
  const std::string text =
      GENERATE("", "M", "64MB", "64m", "64 M", "-1", "1.5G", "0", "1048575", "1K", "1025G",
               "99999999999999999999", "17179869185G", "0x100000");
  CAPTURE(text);
  CHECK(ParseMemorySize(text).status().message() ==
        "expected a size such as 256MiB, 64M, 1GiB or a number of bytes, from 1MiB to 1024GiB");
}

TEST_CASE("ParseByteRate takes sizes from 64 KiB to 1 TiB", "[units]") {
  auto [text, bytes] = GENERATE(table<std::string, uint64_t>(
      {{"64KiB", 65536}, {"65536", 65536}, {"10MiB", 10 * kMiB}, {"1024G", 1048576 * kMiB}}));
  CAPTURE(text);
  REQUIRE(ParseByteRate(text).ok());
  CHECK(*ParseByteRate(text) == bytes);
  for (const char* bad : {"", "0", "65535", "63K", "10MB", "10MiB/s", "1025G", "-1"}) {
    CHECK_FALSE(ParseByteRate(bad).ok());
  }
}

TEST_CASE("ParseLimit takes 1 to 2^32 - 1", "[units]") {
  CHECK(*ParseLimit("1") == 1);
  CHECK(*ParseLimit("4294967295") == 4294967295U);
  CHECK(*ParseLimitOrZero("0") == 0);
  const std::string text = GENERATE("0", "4294967296", "-1", "", "1k", "01", " 1");
  CAPTURE(text);
  CHECK(ParseLimit(text).status().message() == "expected a number from 1 to 4294967295");
}

TEST_CASE("ParseSwitch knows four words each way", "[units]") {
  for (const char* yes : {"1", "true", "yes", "on"}) CHECK(*ParseSwitch(yes));
  for (const char* no : {"0", "false", "no", "off"}) CHECK_FALSE(*ParseSwitch(no));
  for (const char* wrong : {"", "TRUE", "2", "y"}) {
    CHECK(ParseSwitch(wrong).status().message() == "expected true or false");
  }
}

}  // namespace
}  // namespace culvert::config
