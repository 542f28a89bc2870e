#include "broker/watch_tokens.h"

#include <string_view>

namespace culvert::broker {
namespace {

using resource::PageCursor;

constexpr size_t kVersionBytes = 8;

resource::PageBinding WatchBinding(const ProjectQuestion& question) {
  std::string fields;
  for (const resource::FieldPath& path : question.mask.paths()) fields += path.ToString() + ",";
  return {"WatchProjects", question.filter.ToString(), fields};
}

std::string ScopeText(const ProjectScope& scope) {
  return scope.only ? "of " + *scope.only : "of all";
}

}  // namespace

std::string SealResumeToken(int64_t version, const ProjectQuestion& question,
                            const resource::PageTokens& tokens) {
  std::string place;
  for (size_t i = 0; i < kVersionBytes; ++i) {
    place += static_cast<char>(static_cast<uint64_t>(version) >> (8 * i) & 0xff);
  }
  return tokens.Seal({PageCursor::Direction::kRight, PageCursor::Border::kExcluded,
                      place + ScopeText(question.scope)},
                     WatchBinding(question));
}

absl::StatusOr<int64_t> OpenResumeToken(const std::string& token, const ProjectQuestion& question,
                                        const resource::PageTokens& tokens) {
  const absl::StatusOr<PageCursor> cursor = tokens.Open(token, WatchBinding(question));
  if (!cursor.ok() || cursor->sort_key.size() < kVersionBytes) {
    return absl::InvalidArgumentError(
        "resume_token is of another watch: send it with the filter and field_mask of the watch "
        "that it came from, or leave it empty to begin with a snapshot");
  }
  if (std::string_view(cursor->sort_key).substr(kVersionBytes) != ScopeText(question.scope)) {
    return kNoVersion;
  }
  uint64_t version = 0;
  for (size_t i = 0; i < kVersionBytes; ++i) {
    version |= uint64_t{static_cast<uint8_t>(cursor->sort_key[i])} << (8 * i);
  }
  return static_cast<int64_t>(version);
}

}  // namespace culvert::broker
