// What a status is in HTTP.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace culvert::web {

// As google/rpc/code.proto maps them.
unsigned HttpCodeOf(absl::StatusCode code);

// A google.rpc.Status in JSON: {"code":5,"message":"…","details":[]}.
std::string StatusJson(const absl::Status& status);

}  // namespace culvert::web
