// Requests in HTTP as messages of protobuf, and messages as JSON.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "rpc/stream.h"
#include "web/http_message.h"
#include "web/route.h"

namespace culvert::web {

// The serialized request that `http` makes for a route that is no socket: the body, then the query
// over it, then the path over both. INVALID_ARGUMENT says what is wrong.
absl::StatusOr<Bytes> MakeRequest(const RouteMatch& match, std::string_view query,
                                  const HttpRequest& http);

// JSON in protobuf's own mapping, and back, by way of a message of `type`.
absl::StatusOr<Bytes> FromJson(const google::protobuf::Descriptor& type, std::string_view json);
absl::StatusOr<std::string> ToJson(const google::protobuf::Descriptor& type,
                                   const rpc::Frame& frame);

}  // namespace culvert::web
