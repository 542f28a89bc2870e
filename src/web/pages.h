// What the web port serves that is no call.
#pragma once

#include <optional>
#include <string_view>

#include "web/http_message.h"

namespace culvert::web {

// /healthz, and the OpenAPI document at /openapi.json (both versions), /v1/openapi.json and
// /v1alpha2/openapi.json. Nothing in them is a secret: anybody may read them. Nothing for other
// paths and methods.
std::optional<HttpAnswer> FindPage(std::string_view method, std::string_view path,
                                   bool is_draining);

}  // namespace culvert::web
