// Which call an HTTP method and a path mean: the bindings of ntt.proxies in HTTP.
#pragma once

#include <google/protobuf/descriptor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "rpc/stream_info.h"

namespace culvert::web {

// One binding, in one version. Immutable, for ever.
struct Route {
  enum class Kind {
    kUnary,
    kLines,   // answers come one on a line, until the end
    kSocket,  // a WebSocket: messages both ways
  };
  // What a body is.
  enum class Body {
    kNone,
    kProject,  // the field `project`
    kRequest,  // the whole request, if there is one
  };

  std::string_view http_method;
  std::string_view path;      // below the version: "/projects/*:watch"; "*" is one segment
  std::string_view variable;  // the field that "*" goes to, after "projects/"; empty without one
  Body body = Body::kNone;
  Kind kind = Kind::kUnary;
  rpc::StreamInfo::Method method = rpc::StreamInfo::Method::kUnknown;
  rpc::StreamInfo::Version version = rpc::StreamInfo::Version::kV1;
  const google::protobuf::MethodDescriptor* rpc = nullptr;
};

// All of them.
const std::vector<Route>& Routes();
// "/v1".
std::string_view PathPrefix(rpc::StreamInfo::Version version);

struct RouteMatch {
  const Route* route = nullptr;
  std::string variable;  // "projects/lab", decoded
};

// Of a request's path, percent-encoded, without its query. NOT_FOUND where there is nothing;
// OUT_OF_RANGE where it is for other methods, which are the message: "GET, DELETE". HEAD is GET.
absl::StatusOr<RouteMatch> MatchRoute(std::string_view method, std::string_view path);

// Percent-decodes once; `plus` makes a space of "+". Nothing if an escape is none, or what comes
// out is no UTF-8.
std::optional<std::string> PercentDecode(std::string_view text, bool plus);

}  // namespace culvert::web
