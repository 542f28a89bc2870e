#include "sdk/resume_verdict.h"

namespace culvert {
namespace {

ResumeVerdict JudgeCode(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOutOfRange:
    case ErrorCode::kUnknownChannel:
    case ErrorCode::kKilled:
    case ErrorCode::kRevoked:
    case ErrorCode::kExpired:
      return ResumeVerdict::kFinal;
    case ErrorCode::kUnspecified:
    case ErrorCode::kInternal:
    case ErrorCode::kPathLost:
    case ErrorCode::kOffline:
    case ErrorCode::kBusy:
      return ResumeVerdict::kRetry;
    case ErrorCode::kDenied:
    case ErrorCode::kUnknownProvider:
      return ResumeVerdict::kRefused;
    default:
      return ResumeVerdict::kEnded;
  }
}

}  // namespace

ResumeVerdict JudgeResume(ErrorCode code, absl::StatusCode status) {
  switch (status) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return ResumeVerdict::kRetry;
    case absl::StatusCode::kOutOfRange:
      return ResumeVerdict::kFinal;
    case absl::StatusCode::kOk:
    case absl::StatusCode::kAborted:
      return JudgeCode(code);
    default:
      return code == ErrorCode::kUnspecified ? ResumeVerdict::kRefused : JudgeCode(code);
  }
}

}  // namespace culvert
