#include "sdk/resume_verdict.h"

namespace culvert {
namespace {

// What the provider remembers is OUT_OF_RANGE too, with the code of that end.
bool RemembersEnd(ErrorCode code, absl::StatusCode status) {
  if (code == ErrorCode::kEnded) return true;
  return status == absl::StatusCode::kOutOfRange && code != ErrorCode::kOutOfRange &&
         code != ErrorCode::kUnknownChannel;
}

bool IsForNow(absl::StatusCode status) {
  switch (status) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:  // an earlier try of ours got through late
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

bool IsFinal(ErrorCode code) {
  return code == ErrorCode::kOutOfRange || code == ErrorCode::kUnknownChannel ||
         code == ErrorCode::kKilled || code == ErrorCode::kRevoked || code == ErrorCode::kExpired;
}

}  // namespace

ResumeVerdict JudgeResume(ErrorCode code, absl::StatusCode status) {
  if (code == ErrorCode::kUnspecified) return ResumeVerdict::kRetry;
  if (RemembersEnd(code, status)) return ResumeVerdict::kEnded;
  if (IsForNow(status)) return ResumeVerdict::kRetry;
  return IsFinal(code) ? ResumeVerdict::kFinal : ResumeVerdict::kRefused;
}

}  // namespace culvert
