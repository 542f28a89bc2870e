#include "sdk/securing_messages.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/resource_id.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/peer_words.h"

namespace culvert {

std::string ProjectId(std::string_view project) {
  return std::string(project.substr(std::min(project.size(), kProjectPrefix.size())));
}

absl::Status OpeningAltered(const std::string& how) {
  return ErrorStatus(ErrorCode::kAltered, "opening altered on the way: " + how);
}

absl::Status AsChannelError(const absl::Status& why) {
  const ErrorCode code = ErrorCodeOf(why);
  if (code == ErrorCode::kAltered || code == ErrorCode::kInternal) return why;
  const bool peer = absl::IsUnauthenticated(why) || absl::IsPermissionDenied(why);
  absl::Status error =
      ErrorStatus(peer ? ErrorCode::kDenied : ErrorCode::kAltered, std::string(MessageOf(why)));
  if (const auto words = WordsForPeer(why)) error = TellingPeer(std::move(error), *words);
  return error;
}

}  // namespace culvert
