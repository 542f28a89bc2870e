#include "broker/audit_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "base/log.h"
#include "base/status.h"

namespace culvert::broker {
namespace {

constexpr size_t kMaxFiles = 1000;
constexpr size_t kMaxLineBytes = size_t{64} * 1024;

// The latest first, without those that were last written before `since`.
absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& path, WallTime since) {
  std::vector<std::string> files;
  for (size_t i = 0; i < kMaxFiles; ++i) {
    const std::string file = i == 0 ? path : fmt::format("{}.{}", path, i);
    struct stat status {};
    if (stat(file.c_str(), &status) != 0) {
      if (i == 0 && errno == ENOENT) continue;  // just rotated away
      break;
    }
    if (!S_ISREG(status.st_mode)) {  // a FIFO would be waited for
      return absl::FailedPreconditionError(
          fmt::format("audit log {} is no regular file", Printable(file)));
    }
    if (std::chrono::system_clock::from_time_t(status.st_mtime + 1) < since) {
      if (files.empty()) files.push_back(file);
      break;
    }
    files.push_back(file);
  }
  if (!files.empty()) return files;
  return absl::NotFoundError(fmt::format("no audit log {}", path));
}

std::string Field(const nlohmann::json& event, const char* name) {
  const auto found = event.find(name);
  return found != event.end() && found->is_string() ? found->get<std::string>() : "";
}

// "user/alice" of "spiffe://culvert.internal/project/default/user/alice".
std::string ShortName(const std::string& principal) {
  const size_t last = principal.rfind('/');
  if (last == std::string::npos || last == 0) return principal;
  return principal.substr(principal.rfind('/', last - 1) + 1);
}

bool Matches(const nlohmann::json& event, const AuditQuery& query) {
  const std::optional<WallTime> time = ParseTime(Field(event, "time"));
  if (!time || *time < query.since || *time > query.until) return false;
  if (query.kind && Field(event, "event") != AuditKindName(*query.kind)) return false;
  const std::string who = ShortName(Field(event, "principal"));
  if (!query.user.empty() && who != "user/" + query.user) return false;
  return query.agent.empty() || Field(event, "agent") == query.agent ||
         who == "agent/" + query.agent;
}

absl::Status ReadFile(const std::string& file, const AuditQuery& query,
                      absl::FunctionRef<absl::Status(std::string_view)> found) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return absl::FailedPreconditionError(
        fmt::format("read {}: {}", file, std::generic_category().message(errno)));
  }
  for (std::string line; std::getline(stream, line);) {
    if (line.size() > kMaxLineBytes) continue;
    const nlohmann::json event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (event.is_object() && Matches(event, query)) CULVERT_RETURN_IF_ERROR(found(line));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadAudit(const std::string& path, const AuditQuery& query,
                       absl::FunctionRef<absl::Status(std::string_view line)> found) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesOf(path, query.since));
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    CULVERT_RETURN_IF_ERROR(ReadFile(*file, query, found));
  }
  return absl::OkStatus();
}

std::string DescribeAuditLine(std::string_view line) {
  const nlohmann::json event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) return "";
  std::string text = fmt::format("{:<24} {:<10} {:<20}", Field(event, "time"),
                                 Field(event, "event"), ShortName(Field(event, "principal")));
  for (const char* name : {"agent", "service", "target", "code", "reason"}) {
    if (const std::string value = Field(event, name); !value.empty()) text += " " + value;
  }
  for (const char* name : {"address", "bytes_sent", "bytes_received", "duration_s"}) {
    const auto found = event.find(name);
    if (found == event.end()) continue;
    text +=
        fmt::format(" {}={}", name, found->is_string() ? found->get<std::string>() : found->dump());
  }
  return Printable(text, kMaxLineBytes);  // it goes to a terminal
}

}  // namespace culvert::broker
