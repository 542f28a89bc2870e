// The query of a URL as the fields of a request, as google.api.http has it.
#pragma once

#include <google/protobuf/message.h>

#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace culvert::web {

// Sets fields of `request` from "page_size=10&fieldMask=name,metadata.labels&names=a&names=b".
// Names in snake_case or camelCase, of inner fields behind dots; a field that repeats may come more
// than once; a FieldMask is a comma list of paths; what is text in protobuf's JSON (times, enums by
// name or number, bytes, numbers) is as it is there. A parameter takes the place of what was there.
// None may be of a field in `elsewhere`: those are in the path or the body. At most
// kMostParameters. INVALID_ARGUMENT names the parameter.
absl::Status SetFromQuery(std::string_view query, google::protobuf::Message& request,
                          const std::vector<std::string_view>& elsewhere = {});

inline constexpr size_t kMostParameters = 1'000;

// Sets the text field at `path` ("project.name").
void SetTextField(std::string_view path, const std::string& value,
                  google::protobuf::Message& request);

}  // namespace culvert::web
