// The parser behind Filter::Parse. Any thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string_view>

#include "absl/status/statusor.h"
#include "resource/filter.h"

namespace culvert::resource {

// `text` is bounded by the caller; the other limits are held here, depth before recursing.
absl::StatusOr<FilterNode> ParseFilter(std::string_view text,
                                       const google::protobuf::Descriptor& type);

}  // namespace culvert::resource
