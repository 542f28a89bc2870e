// errno and libuv's error numbers as Status. Private to src/net.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace culvert::net {

// strerror in the middle of a sentence: "connection refused".
std::string ErrnoText(int error_number);

// "<context>: <text>" with the code that says what the caller can do, and the number as a payload.
// ECONNRESET and EPIPE are ABORTED.
absl::Status ErrnoStatus(int error_number, std::string_view context);
// The same without a context: "connection reset by peer".
absl::Status ErrnoStatus(int error_number);

// `message` as it is, with the number as a payload.
absl::Status StatusWithErrno(absl::StatusCode code, std::string_view message, int error_number);

// The number that one of the above put into `status`.
std::optional<int> ErrnoOf(const absl::Status& status);

}  // namespace culvert::net
