#include "broker/audit_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>
#include <vector>

#include "tests/support/temp_directory.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;

using Names = std::vector<std::string>;

struct AuditReaderFixture {
  test::TempDirectory directory;
  const WallTime now = WallNow();
  AuditQuery query{now - 1h, now + 1h, "", "", {}};

  std::string Line(AuditKind kind, const std::string& who, const std::string& agent,
                   WallTime time) const {
    AuditEvent event;
    event.kind = kind;
    event.principal = "spiffe://culvert.internal/project/default/" + who;
    event.agent = agent;
    return event.ToLine(time) + "\n";
  }
  // The agents of the events that are found.
  std::vector<std::string> Agents() const {
    std::vector<std::string> agents;
    const absl::Status read = ReadAudit(directory.File("log"), query, [&](std::string_view line) {
      const size_t start = line.find("\"agent\":\"") + 9;
      agents.emplace_back(line.substr(start, line.find('"', start) - start));
      return absl::OkStatus();
    });
    CHECK(read.ok());
    return agents;
  }
};

TEST_CASE_METHOD(AuditReaderFixture, "Audit reader finds by time, principal, agent and kind",
                 "[audit_reader]") {
  directory.Write("log", Line(AuditKind::kOpen, "user/alice", "a", now - 2h) +
                             Line(AuditKind::kOpen, "user/alice", "b", now - 30min) +
                             Line(AuditKind::kClose, "user/alice", "c", now - 20min) +
                             Line(AuditKind::kOpen, "user/bob", "d", now - 10min) +
                             Line(AuditKind::kRegister, "agent/alice", "e", now));
  CHECK(Agents() == Names{"b", "c", "d", "e"});
  query.user = "alice";
  CHECK(Agents() == Names{"b", "c"});
  query.kind = AuditKind::kClose;
  CHECK(Agents() == Names{"c"});
  query = {now - 3h, now - 15min, "", "", {}};
  CHECK(Agents() == Names{"a", "b", "c"});
  query.agent = "b";
  CHECK(Agents() == Names{"b"});
  query = {now - 3h, now, "", "alice", {}};
  CHECK(Agents() == Names{"e"});
}

TEST_CASE_METHOD(AuditReaderFixture, "Audit reader reads rotated files, the oldest first",
                 "[audit_reader]") {
  directory.Write("log", Line(AuditKind::kOpen, "user/alice", "new", now));
  directory.Write("log.1", Line(AuditKind::kOpen, "user/alice", "old", now - 5min));
  directory.Write("log.2", Line(AuditKind::kOpen, "user/alice", "older", now - 10min));
  directory.Write("log.4", Line(AuditKind::kOpen, "user/alice", "unrelated", now - 20min));
  CHECK(Agents() == Names{"older", "old", "new"});
  std::filesystem::remove(directory.File("log"));
  CHECK(Agents() == Names{"older", "old"});
}

TEST_CASE_METHOD(AuditReaderFixture, "Audit reader leaves out files that are too old",
                 "[audit_reader]") {
  directory.Write("log", Line(AuditKind::kOpen, "user/alice", "new", now));
  // Its lines are of now, its date is not: that it was not read shows in the result.
  directory.Write("log.1", Line(AuditKind::kOpen, "user/alice", "old", now));
  const timespec day_ago{std::chrono::system_clock::to_time_t(now - 24h), 0};
  const timespec times[] = {day_ago, day_ago};
  REQUIRE(utimensat(AT_FDCWD, directory.File("log.1").c_str(), times, 0) == 0);
  CHECK(Agents() == Names{"new"});
}

TEST_CASE_METHOD(AuditReaderFixture, "Audit reader passes over what is no event",
                 "[audit_reader]") {
  directory.Write("log", "\nnonsense\n[]\n{}\n{\"time\":1}\n" + std::string(70000, '{') + "\n" +
                             Line(AuditKind::kOpen, "user/alice", "a", now) + "{\"time\":\"20");
  CHECK(Agents() == Names{"a"});
}

TEST_CASE_METHOD(AuditReaderFixture, "Audit reader says that there is no log", "[audit_reader]") {
  const auto ignore = [](std::string_view) { return absl::OkStatus(); };
  CHECK(absl::IsNotFound(ReadAudit(directory.File("log"), query, ignore)));
}

TEST_CASE_METHOD(AuditReaderFixture, "Audit reader stops where its caller does", "[audit_reader]") {
  const std::string line = Line(AuditKind::kOpen, "user/alice", "a", now);
  directory.Write("log", line + line);
  int calls = 0;
  const auto stop = [&calls](std::string_view) {
    ++calls;
    return absl::DataLossError("full");
  };
  CHECK(absl::IsDataLoss(ReadAudit(directory.File("log"), query, stop)));
  CHECK(calls == 1);
}

TEST_CASE_METHOD(AuditReaderFixture, "Audit line is described in one line", "[audit_reader]") {
  AuditEvent event;
  event.kind = AuditKind::kClose;
  event.principal = "spiffe://culvert.internal/project/default/user/alice";
  event.agent = "edge-1";
  event.service = "tcp";
  event.target = "10.0.0.1:22";
  event.bytes_sent = 5;
  const std::string text = DescribeAuditLine(event.ToLine(FromUnixMillis(0)));
  CHECK(text ==
        "1970-01-01T00:00:00.000Z close      user/alice           edge-1 tcp 10.0.0.1:22 "
        "bytes_sent=5");
  CHECK(DescribeAuditLine("nonsense").empty());
  event.agent = "\x1b[2Jedge";
  const std::string hostile = DescribeAuditLine(event.ToLine(FromUnixMillis(0)));
  CHECK(hostile.find('\x1b') == std::string::npos);
  CHECK_THAT(hostile, Catch::Matchers::Contains("\\x1b[2Jedge"));
}

TEST_CASE_METHOD(AuditReaderFixture, "Audit reader does not wait for what is no file",
                 "[audit_reader]") {
  REQUIRE(mkfifo(directory.File("log").c_str(), 0600) == 0);
  const auto none = [](std::string_view) { return absl::OkStatus(); };
  CHECK(absl::IsFailedPrecondition(ReadAudit(directory.File("log"), query, none)));
}

}  // namespace
}  // namespace culvert::broker
