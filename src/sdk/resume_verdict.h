// What the answer to a consumer's resume means for what it does next.
#pragma once

#include "absl/status/status.h"
#include "culvert/error_code.h"

namespace culvert {

enum class ResumeVerdict {
  kRetry,
  kRefused,  // by this broker: another one may think otherwise
  kFinal,    // whoever says it
  kEnded,    // the provider remembers how the channel ended
};

// Of a try that ended with `status`, after a channel_open_error with `code` if there was one. The
// broker says with a code whatever is for good. A status alone may be a proxy's (gRPC makes
// UNIMPLEMENTED of HTTP's 404), or is about something that passes, such as a certificate that is
// about to be renewed: it ends nothing.
ResumeVerdict JudgeResume(ErrorCode code, absl::StatusCode status);

}  // namespace culvert
