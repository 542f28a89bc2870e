#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"

namespace culvert {
namespace {

std::atomic<LogLevel> level_threshold{LogLevel::kInfo};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

spdlog::logger& Logger() {
  // Leaked on purpose: gRPC's threads may log while static objects are destroyed.
  static spdlog::logger* const logger = [] {
    auto* created =
        new spdlog::logger("culvert", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    created->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    created->set_level(spdlog::level::trace);
    created->flush_on(spdlog::level::trace);
    return created;
  }();
  return *logger;
}

}  // namespace

absl::StatusOr<LogLevel> ParseLogLevel(std::string_view name) {
  if (name == "trace") return LogLevel::kTrace;
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  if (name == "off") return LogLevel::kOff;
  return absl::InvalidArgumentError(fmt::format(
      "log level \"{}\": use trace, debug, info, warning, error or off", Printable(name)));
}

void SetLogLevel(LogLevel level) { level_threshold.store(level, std::memory_order_relaxed); }

bool LogEnabled(LogLevel level) { return level >= level_threshold.load(std::memory_order_relaxed); }

void Log(LogLevel level, std::string_view line) {
  Logger().log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

std::string Printable(std::string_view text, size_t most) {
  const bool cut = text.size() > most;
  std::string out = absl::CHexEscape(std::string(text.substr(0, most)));
  // An apostrophe harms no line, and words have it.
  out = absl::StrReplaceAll(out, {{"\\'", "'"}});
  if (cut) out += "...";
  return out;
}

}  // namespace culvert
