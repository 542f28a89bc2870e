// Logging: one line per event on stderr, `key=value`, the object's id in front.
//
// Levels: error = someone must act; warning = degraded, will be tried again; info = life cycle, a
// few lines per connection at most; debug = state transitions; trace = per message. Never log
// tokens, keys or payload. Strings that a peer chose go through Printable().
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert {

enum class LogLevel { kTrace, kDebug, kInfo, kWarning, kError, kOff };

// "trace" … "error", "off". INVALID_ARGUMENT with the list of names otherwise.
absl::StatusOr<LogLevel> ParseLogLevel(std::string_view name);

// Any thread.
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);
void Log(LogLevel level, std::string_view line);

// `text` with control and non-ASCII bytes escaped, cut to `most` bytes: what a peer sends must not
// be able to forge a log line.
std::string Printable(std::string_view text, size_t most = 256);

}  // namespace culvert

#define CULVERT_LOG(level, ...)                                               \
  do {                                                                        \
    if (::culvert::LogEnabled(::culvert::LogLevel::level)) {                  \
      ::culvert::Log(::culvert::LogLevel::level, ::fmt::format(__VA_ARGS__)); \
    }                                                                         \
  } while (false)
