#include "config/path_choice.h"

namespace culvert::config {

absl::StatusOr<PathChoice> ParsePathChoice(std::string_view text) {
  if (text == "auto") return PathChoice::kAuto;
  if (text == "stream") return PathChoice::kStream;
  return absl::InvalidArgumentError("expected auto or stream");
}

Setting PathSetting(PathChoice& path) {
  return ValueSetting({"path", '\0', "PATH",
                       "What carries connections: auto, the fastest way that there is, or\n"
                       "      stream, the connection to the broker only.",
                       path == PathChoice::kAuto ? "auto" : "stream"},
                      path, ParsePathChoice);
}

}  // namespace culvert::config
