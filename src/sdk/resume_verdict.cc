#include "sdk/resume_verdict.h"

namespace culvert {
namespace {

// What the provider remembers is OUT_OF_RANGE too, with the code of that end.
bool RemembersEnd(ErrorCode code) {
  return code != ErrorCode::kUnspecified && code != ErrorCode::kOutOfRange &&
         code != ErrorCode::kUnknownChannel;
}

bool IsFinal(ErrorCode code) {
  return code == ErrorCode::kOutOfRange || code == ErrorCode::kUnknownChannel ||
         code == ErrorCode::kKilled || code == ErrorCode::kRevoked || code == ErrorCode::kExpired;
}

}  // namespace

ResumeVerdict JudgeResume(ErrorCode code, absl::StatusCode status) {
  switch (status) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:  // an earlier try of ours got through late
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return ResumeVerdict::kRetry;
    case absl::StatusCode::kOutOfRange:
      return RemembersEnd(code) ? ResumeVerdict::kEnded : ResumeVerdict::kFinal;
    default:
      return IsFinal(code) ? ResumeVerdict::kFinal : ResumeVerdict::kRefused;
  }
}

}  // namespace culvert
