#include "config/main.h"

#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>

#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "base/log.h"
#include "base/printable_words.h"
#include "base/status.h"
#include "config/standard_descriptors.h"
#include "net/limits.h"

namespace culvert::config {

void PrintError(const std::string& program, const absl::Status& status) {
  // Help may follow, which has lines.
  const std::string message(MessageOf(status));
  const std::vector<std::string> lines = absl::StrSplit(message, '\n');
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? program + ": " : "\n") + PrintableWords(line);
  }
  std::fprintf(stderr, "%s\n", text.c_str());
}

absl::Status PrintResult(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("write to standard output: {}", std::generic_category().message(errno)));
}

absl::StatusOr<std::vector<std::string>> StartProcess(int argc, char** argv) {
  OpenStandardDescriptors();
  // Debian's Abseil looks for deadlocks in every lock that gRPC takes: 4 % of a new connection.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const absl::Status limits = net::RaiseProcessLimits();
  if (absl::IsResourceExhausted(limits)) return limits;
  if (!limits.ok()) CULVERT_LOG(kWarning, "limits: {}", MessageOf(limits));
  return std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc);
}

int CatchAll(const std::string& program, absl::FunctionRef<int()> run) {
  try {
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: internal error: %s\n", program.c_str(), error.what());
    return kExitFailure;
  }
}

}  // namespace culvert::config
