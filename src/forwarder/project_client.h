// What the commands of `culvert projects` have in common. Used inside src/forwarder only.
#pragma once

#include <google/protobuf/message_lite.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "config/forwarder_config.h"
#include "forwarder/ask.h"
#include "rpc/codec.h"
#include "sdk/broker_caller.h"

namespace culvert::forwarder {

// The calls of ProjectService, each of which blocks until it is answered.
class ProjectClient {
 public:
  // FAILED_PRECONDITION without an identity.
  static absl::StatusOr<std::unique_ptr<ProjectClient>> Make(const config::ForwarderConfig& config);

  template <class Response>
  absl::StatusOr<Response> Ask(rpc::Method method, const google::protobuf::MessageLite& request) {
    CULVERT_ASSIGN_OR_RETURN(const BrokerAnswer answer, caller_.Ask(method, rpc::FrameOf(request)));
    return ParseAnswer<Response>(answer.message);
  }

  BrokerCaller& caller() { return caller_; }

 private:
  explicit ProjectClient(BrokerCaller::Options options) : caller_(std::move(options)) {}

  BrokerCaller caller_;
};

// Writes to standard output, at once. CANCELLED if nobody reads it any more, which is nobody's
// mistake: no line on standard error. DATA_LOSS if it could not be written otherwise.
absl::Status PrintNow(const std::string& text);

}  // namespace culvert::forwarder
