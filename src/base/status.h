// Early returns for absl::Status. The code of a Status says what the caller can do (retry, stop, fix
// the input); its message is lower case, without a full stop, outermost context first.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace culvert {

// The same code with `context` in front of the message; OK stays OK.
inline absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

}  // namespace culvert

#define CULVERT_CONCAT_INNER(a, b) a##b
#define CULVERT_CONCAT(a, b) CULVERT_CONCAT_INNER(a, b)

#define CULVERT_RETURN_IF_ERROR(expression)                       \
  do {                                                            \
    if (::absl::Status culvert_status = (expression); !culvert_status.ok()) { \
      return culvert_status;                                      \
    }                                                             \
  } while (false)

#define CULVERT_ASSIGN_OR_RETURN(target, expression) \
  CULVERT_ASSIGN_OR_RETURN_INNER(CULVERT_CONCAT(culvert_statusor_, __LINE__), target, expression)

#define CULVERT_ASSIGN_OR_RETURN_INNER(statusor, target, expression) \
  auto statusor = (expression);                                      \
  if (!statusor.ok()) return std::move(statusor).status();           \
  target = *std::move(statusor)
