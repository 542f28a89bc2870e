#include "web/http_code.h"

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace culvert::web {

unsigned HttpCodeOf(absl::StatusCode code) {
  using Code = absl::StatusCode;
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kCancelled:
      return 499;
    case Code::kInvalidArgument:
    case Code::kFailedPrecondition:
    case Code::kOutOfRange:
      return 400;
    case Code::kUnauthenticated:
      return 401;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kAborted:
      return 409;
    case Code::kResourceExhausted:
      return 429;
    case Code::kUnimplemented:
      return 501;
    case Code::kUnavailable:
      return 503;
    case Code::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

std::string StatusJson(const absl::Status& status) {
  const nlohmann::ordered_json json = {{"code", static_cast<int>(status.code())},
                                       {"message", std::string(MessageOf(status))},
                                       {"details", nlohmann::ordered_json::array()}};
  // What a peer sent may be in the message, cut anywhere.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace culvert::web
