#include "sdk/opening.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <string_view>

#include "base/printable_words.h"
#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert {
namespace {

// "… last error: UNKNOWN: ipv4:127.0.0.1:7: Failed to connect to remote host: Connection refused".
constexpr std::string_view kConnectFailed = "failed to connect to all addresses";
constexpr std::string_view kRemoteHost = "remote host: ";
// What rpc::Credentials::ForEnrolment found out follows.
constexpr std::string_view kVerdict = "verification check failed with error: UNAUTHENTICATED: ";
// OpenSSL's reasons.
constexpr std::string_view kNotVerified = "certificate verify failed";
constexpr std::string_view kNoTls = "wrong version number";
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

// From gRPC's words for it.
std::string WhyUnreachable(std::string_view message) {
  for (const std::string_view before : {kVerdict, kRemoteHost}) {
    const size_t at = message.rfind(before);
    if (at != std::string_view::npos)
      return LowerFirst(std::string(message.substr(at + before.size())));
  }
  if (Contains(message, kNotVerified)) {
    return "its certificate is not of the authority that we enrolled with: wrong broker, or "
           "somebody is in between";
  }
  if (Contains(message, kNoTls)) return "no TLS there: no broker, or one with --insecure";
  return "no connection in time";
}

}  // namespace

uint32_t ResumeSeconds(const ClientOptions& options) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.resume_timeout).count();
  return static_cast<uint32_t>(
      std::clamp<int64_t>(seconds, 0, std::numeric_limits<uint32_t>::max()));
}

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
  // A broker chooses its words, and they go to terminals and logs.
  const std::string message = PrintableWords(MessageOf(status));
  if (Contains(message, kConnectFailed)) {
    return MakeStatus(status.code(),
                      fmt::format("cannot reach broker {}: {}", broker, WhyUnreachable(message)));
  }
  for (const std::string_view lost : kLost) {
    if (Contains(message, lost))
      return MakeStatus(status.code(), fmt::format("lost the connection to broker {}", broker));
  }
  return MakeStatus(status.code(), fmt::format("broker {}: {}", broker, message));
}

absl::Status OpeningFailure(const absl::Status& status, const std::string& broker) {
  const std::string message = PrintableWords(MessageOf(status));
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ErrorStatus(ErrorCode::kProtocol, "broker ended the opening without an answer");
    case absl::StatusCode::kNotFound:
      return ErrorStatus(ErrorCode::kUnknownProvider, message);
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:  // by a server that stops while the stream arrives
      return absl::UnavailableError(std::string(MessageOf(ExplainStreamEnd(status, broker))));
    case absl::StatusCode::kResourceExhausted:  // a limit of the broker's, not of the provider's
      return ErrorStatus(ErrorCode::kBusy, fmt::format("broker {}: {}", broker, message));
    default:
      return status;
  }
}

}  // namespace culvert
