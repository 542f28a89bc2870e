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
      {ErrorCode::kUnspecified, StatusCode::kOutOfRange, ResumeVerdict::kFinal},
      {ErrorCode::kEnded, StatusCode::kOutOfRange, ResumeVerdict::kEnded},
      {ErrorCode::kReset, StatusCode::kOutOfRange, ResumeVerdict::kEnded},
      {ErrorCode::kUnknownChannel, StatusCode::kNotFound, ResumeVerdict::kFinal},
      {ErrorCode::kUnspecified, StatusCode::kNotFound, ResumeVerdict::kRefused},
      {ErrorCode::kKilled, StatusCode::kPermissionDenied, ResumeVerdict::kFinal},
      {ErrorCode::kDenied, StatusCode::kPermissionDenied, ResumeVerdict::kRefused},
      {ErrorCode::kUnspecified, StatusCode::kUnauthenticated, ResumeVerdict::kRefused},
      {ErrorCode::kUnspecified, StatusCode::kUnimplemented, ResumeVerdict::kRefused},
  }));
  CAPTURE(code, status);
  CHECK(JudgeResume(code, status) == verdict);
}

}  // namespace
}  // namespace culvert
