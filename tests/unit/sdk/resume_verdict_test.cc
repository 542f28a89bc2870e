#include "sdk/resume_verdict.h"

#include "tests/support/catch.h"

namespace culvert {
namespace {

using absl::StatusCode;

TEST_CASE("JudgeResume goes by the status, and by the code where that leaves it open", "[resume]") {
  const auto [code, status, verdict] = GENERATE(table<ErrorCode, StatusCode, ResumeVerdict>({
      {ErrorCode::kOffline, StatusCode::kUnavailable, ResumeVerdict::kRetry},
      {ErrorCode::kOutOfRange, StatusCode::kUnavailable, ResumeVerdict::kRetry},
      {ErrorCode::kUnspecified, StatusCode::kUnavailable, ResumeVerdict::kRetry},
      {ErrorCode::kAlreadyExists, StatusCode::kAborted, ResumeVerdict::kRetry},
      {ErrorCode::kUnspecified, StatusCode::kOk, ResumeVerdict::kRetry},
      {ErrorCode::kOutOfRange, StatusCode::kOutOfRange, ResumeVerdict::kFinal},
      {ErrorCode::kEnded, StatusCode::kOutOfRange, ResumeVerdict::kEnded},
      {ErrorCode::kReset, StatusCode::kOutOfRange, ResumeVerdict::kEnded},
      {ErrorCode::kUnknownChannel, StatusCode::kNotFound, ResumeVerdict::kFinal},
      {ErrorCode::kOffline, StatusCode::kNotFound, ResumeVerdict::kRefused},
      {ErrorCode::kKilled, StatusCode::kPermissionDenied, ResumeVerdict::kFinal},
      {ErrorCode::kDenied, StatusCode::kPermissionDenied, ResumeVerdict::kRefused},
      {ErrorCode::kRevoked, StatusCode::kPermissionDenied, ResumeVerdict::kFinal},
      {ErrorCode::kExpired, StatusCode::kPermissionDenied, ResumeVerdict::kFinal},
      {ErrorCode::kBusy, StatusCode::kUnavailable, ResumeVerdict::kRetry},
  }));
  CAPTURE(code, status);
  CHECK(JudgeResume(code, status) == verdict);
}

TEST_CASE("JudgeResume takes no status for final that the broker says nothing to", "[resume]") {
  const StatusCode status = GENERATE(
      StatusCode::kUnimplemented, StatusCode::kPermissionDenied, StatusCode::kUnauthenticated,
      StatusCode::kInternal, StatusCode::kUnavailable, StatusCode::kNotFound,
      StatusCode::kOutOfRange, StatusCode::kInvalidArgument, StatusCode::kFailedPrecondition);
  CAPTURE(status);
  CHECK(JudgeResume(ErrorCode::kUnspecified, status) == ResumeVerdict::kRetry);
}

TEST_CASE("JudgeResume takes a channel for ended that has ended, whatever the status", "[resume]") {
  const StatusCode status =
      GENERATE(StatusCode::kUnavailable, StatusCode::kOk, StatusCode::kNotFound);
  CHECK(JudgeResume(ErrorCode::kEnded, status) == ResumeVerdict::kEnded);
}

}  // namespace
}  // namespace culvert
