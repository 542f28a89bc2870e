// Early returns for absl::Status. The code of a Status says what the caller can do (retry, stop,
// fix the input); its message is lower case, without a full stop, outermost context first.
//
// Text is made with fmt: Debian's absl::string_view is not std::string_view, so absl::StrCat and
// absl::StrFormat do not take ours.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace culvert {

inline std::string_view MessageOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

inline absl::Status MakeStatus(absl::StatusCode code, const std::string& message) {
  return absl::Status(code, message);
}

// The same code with `context` in front of the message; OK stays OK.
inline absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  return MakeStatus(status.code(), fmt::format("{}: {}", context, MessageOf(status)));
}

}  // namespace culvert

#define CULVERT_CONCAT_INNER(a, b) a##b
#define CULVERT_CONCAT(a, b) CULVERT_CONCAT_INNER(a, b)

#define CULVERT_RETURN_IF_ERROR(expression)                                   \
  do {                                                                        \
    if (::absl::Status culvert_status = (expression); !culvert_status.ok()) { \
      return culvert_status;                                                  \
    }                                                                         \
  } while (false)

#define CULVERT_ASSIGN_OR_RETURN(target, expression) \
  CULVERT_ASSIGN_OR_RETURN_INNER(CULVERT_CONCAT(culvert_statusor_, __LINE__), target, expression)

// `target` may be a declaration, which parentheses would break.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define CULVERT_ASSIGN_OR_RETURN_INNER(statusor, target, expression) \
  auto statusor = (expression);                                      \
  if (!statusor.ok()) return std::move(statusor).status();           \
  target = *std::move(statusor)
// NOLINTEND(bugprone-macro-parentheses)
