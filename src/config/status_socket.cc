#include "config/status_socket.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/log.h"
#include "base/status.h"
#include "config/help.h"
#include "config/main.h"
#include "config/state_owner.h"
#include "net/unix_socket.h"

namespace culvert::config {
namespace {

constexpr char kRequest[] = "status";
constexpr std::string_view kSuffix = ".sock";
// A channel's line is below 6 KiB with the longest target.
constexpr size_t kMaxAnswerBytes = size_t{64} * 1024 * 1024;
// More than a process takes to answer, and than it gives itself.
constexpr Duration kTimeout = std::chrono::seconds(3);
// Nobody runs so many of them for one user.
constexpr size_t kMaxSockets = 4'096;

bool IsDirectory(const std::string& path) {
  struct stat there {};
  return stat(path.c_str(), &there) == 0 && S_ISDIR(there.st_mode);
}

// The process ids in the names of the sockets in `folder`, lowest first.
std::vector<pid_t> SocketsIn(const std::string& folder) {
  std::vector<pid_t> pids;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    if (name.size() > kSuffix.size() && name.substr(name.size() - kSuffix.size()) == kSuffix &&
        absl::SimpleAtoi(name.substr(0, name.size() - kSuffix.size()), &pid) && pid > 0) {
      pids.push_back(pid);
    }
    if (pids.size() == kMaxSockets) break;
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

std::string SocketPath(const std::string& folder, pid_t pid) {
  return fmt::format("{}/{}{}", folder, pid, kSuffix);
}

void RemoveAbandoned(const std::string& folder) {
  for (const pid_t pid : SocketsIn(folder)) {
    const std::string path = SocketPath(folder, pid);
    if (net::IsAbandonedSocket(path)) unlink(path.c_str());
  }
}

// `folder`'s parent is there.
absl::StatusOr<std::unique_ptr<net::LineServer>> ServeIn(const std::string& folder,
                                                         net::EventLoop& loop,
                                                         const net::LineServer::Options& options) {
  if (mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    const std::error_code error(errno, std::generic_category());
    return absl::UnavailableError(fmt::format("make {}: {}", folder, error.message()));
  }
  CULVERT_RETURN_IF_ERROR(net::CheckSocketFolder(folder));
  RemoveAbandoned(folder);
  return net::LineServer::Listen(loop, SocketPath(folder, getpid()), options);
}

net::LineServer::Options Answering(const std::string& program,
                                   std::function<ProcessStatus()> describe) {
  net::LineServer::Options options;
  options.owner = geteuid();
  options.too_long = R"({"error":"the request is too long"})";
  options.answer = [program, describe = std::move(describe), started = MonotonicNow()](
                       const std::string& line, uid_t) -> std::string {
    if (line != kRequest) return R"({"error":"unknown request"})";
    ProcessStatus status = describe();
    status.program = program;
    status.pid = getpid();
    status.version = Version();
    status.age = MonotonicNow() - started;
    return StatusJson(std::move(status));
  };
  return options;
}

absl::StatusOr<std::string> Ask(const std::string& path) {
  CULVERT_ASSIGN_OR_RETURN(const net::UniqueFd fd, net::ConnectToUnixSocket(path, kTimeout));
  CULVERT_RETURN_IF_ERROR(net::CheckServer(fd.get(), geteuid()));
  CULVERT_ASSIGN_OR_RETURN(std::string answer, net::AskLine(fd.get(), kRequest, kMaxAnswerBytes));
  if (answer.empty()) return absl::UnavailableError("no answer");
  answer.pop_back();
  return answer;
}

}  // namespace

std::vector<std::string> StatusFolders(const CommonConfig& common, const std::string& program) {
  std::vector<std::string> folders = {common.state_dir + "/status"};
  if (!common.runtime_dir.empty()) folders.push_back(common.runtime_dir + "/" + program);
  return folders;
}

std::unique_ptr<net::LineServer> ServeStatus(net::EventLoop& loop, const CommonConfig& common,
                                             const std::string& program,
                                             std::function<ProcessStatus()> describe) {
  const net::LineServer::Options options = Answering(program, std::move(describe));
  absl::Status failure;
  for (const std::string& folder : StatusFolders(common, program)) {
    if (!IsDirectory(std::filesystem::path(folder).parent_path())) continue;
    auto server = ServeIn(folder, loop, options);
    if (server.ok()) return *std::move(server);
    failure.Update(server.status());
  }
  if (!failure.ok()) {
    CULVERT_LOG(kWarning, "'{} status' will not show this process: {}", program,
                Printable(MessageOf(failure)));
  }
  return nullptr;
}

std::vector<std::string> AskForStatus(const std::vector<std::string>& folders) {
  std::vector<std::string> answers;
  for (const std::string& folder : folders) {
    if (const absl::Status safe = net::CheckSocketFolder(folder); !safe.ok()) {
      if (!absl::IsNotFound(safe)) CULVERT_LOG(kWarning, "not asked: {}", MessageOf(safe));
      continue;
    }
    RemoveAbandoned(folder);
    for (const pid_t pid : SocketsIn(folder)) {
      absl::StatusOr<std::string> answer = Ask(SocketPath(folder, pid));
      if (answer.ok()) {
        answers.push_back(*std::move(answer));
      } else if (!absl::IsNotFound(answer.status())) {
        CULVERT_LOG(kWarning, "process {}: {}", pid, MessageOf(answer.status()));
      }
    }
  }
  return answers;
}

int RunStatus(const std::string& program, const CommonConfig& common, bool json) {
  if (const absl::Status owner = ActAsOwner(common.state_dir); !owner.ok()) {
    PrintError(program, owner);
    return kExitFailure;
  }
  std::string text;
  for (const std::string& answer : AskForStatus(StatusFolders(common, program))) {
    const absl::StatusOr<std::string> shown = json ? StatusLine(answer) : StatusText(answer);
    if (!shown.ok()) {
      CULVERT_LOG(kWarning, "{}", MessageOf(shown.status()));
      continue;
    }
    if (json) {
      text += *shown + "\n";
    } else {
      text += (text.empty() ? "" : "\n") + *shown;
    }
  }
  if (text.empty()) {
    std::fprintf(stderr, "no %s is running\n", program.c_str());
    return kExitFailure;
  }
  if (const absl::Status printed = PrintResult(text); !printed.ok()) {
    PrintError(program, printed);
    return kExitFailure;
  }
  return 0;
}

}  // namespace culvert::config
