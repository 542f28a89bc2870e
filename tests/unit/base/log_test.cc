#include "base/log.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("Printable leaves no way to forge a log line", "[log]") {
  CHECK(Printable("edge-1") == "edge-1");
  CHECK(Printable("a\nb\r\tc") == "a\\nb\\r\\tc");
  CHECK(Printable("quote\"and\\") == "quote\\\"and\\\\");
  CHECK(Printable(std::string("\0\x1b[2J", 5)).find('\x1b') == std::string::npos);
  for (char c : Printable("caf\xc3\xa9\xff")) CHECK((c >= 0x20 && c < 0x7f));
}

TEST_CASE("Printable cuts after 256 bytes", "[log]") {
  CHECK(Printable(std::string(256, 'x')) == std::string(256, 'x'));
  CHECK(Printable(std::string(257, 'x')) == std::string(256, 'x') + "...");
  CHECK(Printable(std::string(1 << 20, '\n')).size() == 2 * 256 + 3);
}

TEST_CASE("ParseLogLevel knows its names only", "[log]") {
  auto [name, level] = GENERATE(table<std::string, LogLevel>({{"trace", LogLevel::kTrace},
                                                              {"debug", LogLevel::kDebug},
                                                              {"info", LogLevel::kInfo},
                                                              {"warning", LogLevel::kWarning},
                                                              {"error", LogLevel::kError},
                                                              {"off", LogLevel::kOff}}));
  CHECK(*ParseLogLevel(name) == level);
  for (const char* wrong : {"", "INFO", "warn", "info "}) {
    CHECK(ParseLogLevel(wrong).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("LogEnabled follows the level that was set", "[log]") {
  SetLogLevel(LogLevel::kWarning);
  CHECK_FALSE(LogEnabled(LogLevel::kInfo));
  CHECK(LogEnabled(LogLevel::kWarning));
  CHECK(LogEnabled(LogLevel::kError));
  SetLogLevel(LogLevel::kOff);
  CHECK_FALSE(LogEnabled(LogLevel::kError));
  SetLogLevel(LogLevel::kInfo);
  CHECK(LogEnabled(LogLevel::kInfo));
}

}  // namespace
}  // namespace culvert
