// The OpenAPI description of what routes there are, made of them and of the protos.
#pragma once

#include <string>
#include <vector>

#include "rpc/stream_info.h"

namespace culvert::web {

// OpenAPI 3.0.3, JSON.
std::string OpenApiDocument(const std::vector<rpc::StreamInfo::Version>& versions);

}  // namespace culvert::web
