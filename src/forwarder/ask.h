// What the commands that ask the broker something have in common. Used inside src/forwarder only.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "config/forwarder_config.h"
#include "crypto/identity.h"
#include "rpc/connection.h"
#include "rpc/stream.h"
#include "sdk/broker_query.h"

namespace culvert::forwarder {

// FAILED_PRECONDITION without one.
absl::StatusOr<crypto::Identity> OwnIdentity(const config::ForwarderConfig& config);

// Blocks until a broker answers.
absl::StatusOr<BrokerAnswer> AskAs(const crypto::Identity& identity,
                                   const config::ForwarderConfig& config, rpc::Method method,
                                   rpc::Frame request);

template <typename Response>
absl::StatusOr<Response> ParseAnswer(const Bytes& message) {
  Response response;
  if (response.ParseFromArray(message.data(), static_cast<int>(message.size()))) return response;
  return absl::InternalError("answer of the broker does not parse");
}

}  // namespace culvert::forwarder
