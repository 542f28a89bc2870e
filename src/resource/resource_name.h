// Names of resources, `projects/lab-1`: which are read, which are made, and how one is drawn. Any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace culvert::resource {

struct ResourceKind {
  std::string_view collection;
  std::string_view type;
};
inline constexpr ResourceKind kProjectKind{"projects", "Project"};

// The id in a name that a request has: \w[\w.-]{0,127}, or "-" for any. INVALID_ARGUMENT "unable to
// parse '…' as Project name".
absl::StatusOr<std::string> ParseResourceName(std::string_view name, const ResourceKind& kind);

// The id in the name of a resource to be made, of which less is allowed:
// [a-z][a-z0-9-]{0,28}[a-z0-9]. INVALID_ARGUMENT, in one line.
absl::StatusOr<std::string> ParseNewResourceName(std::string_view name, const ResourceKind& kind);

// An id for a resource that comes without a name: at most 24 bytes of the words of `display_name`,
// which may be empty, and six characters that `random` chooses (1.2 * 10^9 of them).
// ParseNewResourceName takes it; whether it is in use is for the caller to see.
std::string DrawResourceId(std::string_view display_name, uint64_t random);

// Of filters: whether `text` is a name or a pattern of names, pairs of a collection and an id or
// "-"; whether it has a "-" for an id; and what it matches.
bool IsNamePattern(std::string_view text);
bool HasWildcard(std::string_view pattern);
bool NameMatches(std::string_view pattern, std::string_view name);

}  // namespace culvert::resource
