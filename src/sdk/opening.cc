#include "sdk/opening.h"

#include <fmt/format.h>

#include <cctype>
#include <string_view>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert {
namespace {

// "… last error: UNKNOWN: ipv4:127.0.0.1:7: Failed to connect to remote host: Connection refused".
constexpr std::string_view kConnectFailed = "failed to connect to all addresses";
constexpr std::string_view kRemoteHost = "remote host: ";
// How gRPC speaks of a connection that was there.
constexpr std::string_view kLost[] = {"Socket closed", "Connection reset", "Broken pipe",
                                      "keepalive",     "GOAWAY",           "Transport closed"};

std::string LowerFirst(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

ChannelReport FailedOpening(uint64_t channel_id, const absl::Status& why, MonotonicTime started) {
  ChannelReport report;
  report.channel_id = channel_id;
  report.status = why;
  // gRPC's own failures have no code of ours, and say enough.
  const bool has_code = why == ErrorStatus(ErrorCodeOf(why), std::string(MessageOf(why)));
  report.reason =
      DescribeError(has_code ? ErrorCodeOf(why) : ErrorCode::kUnspecified, MessageOf(why));
  report.duration = MonotonicNow() - started;
  return report;
}

absl::Status ExplainStreamEnd(const absl::Status& status, const std::string& broker) {
  const std::string_view message = MessageOf(status);
  if (Contains(message, kConnectFailed)) {
    const size_t host = message.rfind(kRemoteHost);
    const std::string cause =
        host == std::string_view::npos
            ? "no connection in time"
            : LowerFirst(std::string(message.substr(host + kRemoteHost.size())));
    return MakeStatus(status.code(), fmt::format("cannot reach broker {}: {}", broker, cause));
  }
  for (const std::string_view lost : kLost) {
    if (Contains(message, lost))
      return MakeStatus(status.code(), fmt::format("lost the connection to broker {}", broker));
  }
  return MakeStatus(status.code(), fmt::format("broker {}: {}", broker, message));
}

}  // namespace culvert
