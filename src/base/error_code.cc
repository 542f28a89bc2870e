#include "culvert/error_code.h"

#include <charconv>

#include "absl/strings/cord.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert {
namespace {

constexpr char kPayloadUrl[] = "culvert.dev/culvert.v1.ErrorCode";

absl::StatusCode NearestStatus(ErrorCode code) {
  switch (code) {
    case ErrorCode::kDenied:
    case ErrorCode::kAltered:
    case ErrorCode::kKilled:
    case ErrorCode::kRevoked:
      return absl::StatusCode::kPermissionDenied;
    case ErrorCode::kUnknownService:
    case ErrorCode::kOffline:
    case ErrorCode::kUnknownProvider:
    case ErrorCode::kUnknownChannel:
      return absl::StatusCode::kNotFound;
    case ErrorCode::kBadTarget:
    case ErrorCode::kProtocol:
      return absl::StatusCode::kInvalidArgument;
    case ErrorCode::kRefused:
    case ErrorCode::kUnreachable:
    case ErrorCode::kShutdown:
    case ErrorCode::kPathLost:
    case ErrorCode::kNoPath:
    case ErrorCode::kBusy:
      return absl::StatusCode::kUnavailable;
    case ErrorCode::kTimeout:
      return absl::StatusCode::kDeadlineExceeded;
    case ErrorCode::kReset:
      return absl::StatusCode::kAborted;
    case ErrorCode::kLimit:
      return absl::StatusCode::kResourceExhausted;
    case ErrorCode::kOutOfRange:
    case ErrorCode::kEnded:
    case ErrorCode::kExpired:
      return absl::StatusCode::kOutOfRange;
    case ErrorCode::kAlreadyExists:
      return absl::StatusCode::kAlreadyExists;
    case ErrorCode::kInternal:
      return absl::StatusCode::kInternal;
    case ErrorCode::kUnspecified:
      break;
  }
  return absl::StatusCode::kUnknown;
}

ErrorCode NearestCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ErrorCode::kDenied;
    case absl::StatusCode::kInvalidArgument:
      return ErrorCode::kProtocol;
    case absl::StatusCode::kDeadlineExceeded:
      return ErrorCode::kTimeout;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
      return ErrorCode::kReset;
    case absl::StatusCode::kResourceExhausted:
      return ErrorCode::kLimit;
    case absl::StatusCode::kUnavailable:
      return ErrorCode::kUnreachable;
    case absl::StatusCode::kInternal:
      return ErrorCode::kInternal;
    default:
      return ErrorCode::kUnspecified;
  }
}

}  // namespace

std::string_view ErrorCodeText(ErrorCode code) {
  switch (code) {
#define CULVERT_X(name, number, text) \
  case ErrorCode::name:               \
    return text;
    CULVERT_ERROR_CODES(CULVERT_X)
#undef CULVERT_X
  }
  return "error";
}

std::string DescribeError(ErrorCode code, std::string_view message) {
  const std::string_view words = ErrorCodeText(code);
  if (message.empty()) return std::string(words);
  const bool said = message.find(words) != std::string_view::npos;
  // The end of a long one may be what to do about it.
  constexpr size_t kMost = 512;
  if (said || code == ErrorCode::kUnspecified) return Printable(message, kMost);
  return fmt::format("{}: {}", words, Printable(message, kMost));
}

ErrorCode ErrorCodeFromNumber(uint32_t number) {
  switch (number) {
#define CULVERT_X(name, value, text) \
  case value:                        \
    return ErrorCode::name;
    CULVERT_ERROR_CODES(CULVERT_X)
#undef CULVERT_X
    default:
      return ErrorCode::kUnspecified;
  }
}

absl::Status ErrorStatus(ErrorCode code, const std::string& message) {
  absl::Status status = MakeStatus(NearestStatus(code), message);
  status.SetPayload(kPayloadUrl, absl::Cord(std::to_string(static_cast<uint32_t>(code))));
  return status;
}

ErrorCode ErrorCodeOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload) return NearestCode(status.code());
  const std::string text(*payload);
  uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return ErrorCodeFromNumber(number);
}

}  // namespace culvert
