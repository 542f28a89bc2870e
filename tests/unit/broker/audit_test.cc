#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "broker/audit_event.h"
#include "broker/audit_file.h"
#include "broker/audit_log.h"
#include "tests/support/temp_directory.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

AuditFile Open(const std::string& path) {
  auto file = AuditFile::Open(path);
  REQUIRE(file.ok());
  return *std::move(file);
}

// Errors that a test provokes are not shown.
struct Quiet {
  Quiet() { SetLogLevel(LogLevel::kOff); }
  ~Quiet() { SetLogLevel(LogLevel::kInfo); }
};

TEST_CASE("Audit event is one line of JSON with what is known", "[audit]") {
  AuditEvent event;
  event.kind = AuditKind::kClose;
  event.principal = "spiffe://culvert.internal/project/default/user/alice";
  event.agent = "edge-1";
  event.bytes_sent = 12;
  event.duration = 1500ms;
  const json line = json::parse(event.ToLine(FromUnixMillis(1'700'000'000'123)));
  CHECK(line == json{{"time", "2023-11-14T22:13:20.123Z"},
                     {"event", "close"},
                     {"principal", event.principal},
                     {"agent", "edge-1"},
                     {"bytes_sent", 12},
                     {"duration_s", 1.5}});
}

TEST_CASE("Audit event takes nothing from a peer that is no text", "[audit]") {
  AuditEvent event;
  event.target = "a\nb\"}\x80";
  event.service = std::string(10000, 'x');
  const std::string line = event.ToLine(FromUnixMillis(0));
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.size() < 1000);
  const json parsed = json::parse(line);
  CHECK(parsed["target"] == "a\\nb\\\"}\\x80");
  CHECK(parsed["service"].get<std::string>().size() == AuditEvent::kMaxFieldBytes + 3);
}

TEST_CASE("Audit kinds have names", "[audit]") {
  for (int i = 0; i <= static_cast<int>(AuditKind::kAdmin); ++i) {
    const auto kind = static_cast<AuditKind>(i);
    CHECK(*ParseAuditKind(AuditKindName(kind)) == kind);
  }
  CHECK_FALSE(ParseAuditKind("").ok());
}

TEST_CASE("Audit file is appended to, for its owner only", "[audit]") {
  const test::TempDirectory directory;
  {
    AuditFile file = Open(directory.File("log"));
    file.Append("one");
    CHECK(directory.Read("log").empty());
    file.Flush();
    CHECK(directory.Read("log") == "one\n");
    file.Append("two");
  }
  CHECK(directory.Read("log") == "one\ntwo\n");
  AuditFile again = Open(directory.File("log"));
  again.Append("three");
  again.Flush();
  CHECK(directory.Read("log") == "one\ntwo\nthree\n");
  CHECK(test::ModeOf(directory.File("log")) == 0600);
}

TEST_CASE("Audit file holds no more than its buffer", "[audit]") {
  const test::TempDirectory directory;
  AuditFile file = Open(directory.File("log"));
  file.Append(std::string(AuditFile::kMaxBuffer - 2, 'x'));
  CHECK(directory.Read("log").empty());
  file.Append("");
  CHECK(directory.Read("log").size() == AuditFile::kMaxBuffer);
  CHECK(file.is_empty());
}

TEST_CASE("Audit file is reopened under its name", "[audit]") {
  const test::TempDirectory directory;
  AuditFile file = Open(directory.File("log"));
  file.Append("one");
  std::filesystem::rename(directory.File("log"), directory.File("log.1"));
  REQUIRE(file.Reopen().ok());
  file.Append("two");
  file.Flush();
  CHECK(directory.Read("log.1") == "one\n");
  CHECK(directory.Read("log") == "two\n");
}

TEST_CASE("Audit file stays with the old one if it cannot be reopened", "[audit]") {
  const test::TempDirectory directory;
  AuditFile file = Open(directory.File("log"));
  std::filesystem::rename(directory.File("log"), directory.File("log.1"));
  std::filesystem::create_directory(directory.File("log"));
  CHECK_FALSE(file.Reopen().ok());
  file.Append("one");
  file.Flush();
  CHECK(directory.Read("log.1") == "one\n");
}

TEST_CASE("Audit file follows no link and waits for no reader", "[audit]") {
  const test::TempDirectory directory;
  std::filesystem::create_symlink(directory.File("elsewhere"), directory.File("link"));
  CHECK(absl::IsFailedPrecondition(AuditFile::Open(directory.File("link")).status()));
  REQUIRE(mkfifo(directory.File("pipe").c_str(), 0600) == 0);
  CHECK(absl::IsFailedPrecondition(AuditFile::Open(directory.File("pipe")).status()));
  CHECK_FALSE(AuditFile::Open(directory.File("none/log")).ok());
}

TEST_CASE("Audit file counts what a full disk does not take", "[audit]") {
  const Quiet quiet;
  AuditFile file = Open("/dev/full");
  file.Append("one");
  file.Append("two");
  file.Flush();
  CHECK(file.lost() == 2);
  file.Append("three");
  file.Flush();
  CHECK(file.lost() == 3);
  CHECK(file.is_empty());
}

TEST_CASE("Audit file begins a new line after one that was cut", "[audit]") {
  const Quiet quiet;
  const test::TempDirectory directory;
  REQUIRE(mkfifo(directory.File("pipe").c_str(), 0600) == 0);
  const int reader = open(directory.File("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  const int capacity = fcntl(reader, F_SETPIPE_SZ, 4096);
  AuditFile file = Open(directory.File("pipe"));
  // More than the pipe holds, so that a part of the line is written.
  file.Append(std::string(static_cast<size_t>(capacity) + 1000, 'x'));
  file.Flush();
  CHECK(file.lost() == 1);
  std::string got(static_cast<size_t>(capacity), '\0');
  REQUIRE(read(reader, got.data(), got.size()) == capacity);
  file.Append("whole");
  file.Flush();
  CHECK(read(reader, got.data(), got.size()) == 7);
  CHECK(got.substr(0, 7) == "\nwhole\n");
  close(reader);
}

TEST_CASE("Audit log is written soon, and at its end", "[audit]") {
  const test::TempDirectory directory;
  net::EventLoop loop;
  {
    AuditLog log(loop, Open(directory.File("log")));
    log.Write({AuditKind::kEnrol});
    CHECK(directory.Read("log").empty());
    CHECK(loop.RunUntil([&] { return !directory.Read("log").empty(); }, 5s));
    log.Write({AuditKind::kOpen});
  }
  const std::string text = directory.Read("log");
  CHECK(text.find("\"open\"") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

}  // namespace
}  // namespace culvert::broker
