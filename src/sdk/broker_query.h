// One question to a broker from a command that waits for the answer.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "rpc/connection.h"
#include "rpc/credentials.h"
#include "rpc/stream.h"
#include "sdk/broker_caller.h"

namespace culvert {

struct BrokerQuery {
  std::vector<std::string> brokers;  // as in ClientOptions
  rpc::Credentials credentials = rpc::Credentials::Insecure();
  rpc::Method method = rpc::Method::kWhoAmI;
  rpc::Frame request = {};
  Duration limit = BrokerCaller::Options::kLimit;  // for each broker
};

// BrokerCaller::Ask, on a loop thread of its own.
absl::StatusOr<BrokerAnswer> AskOneBroker(const BrokerQuery& query);
// The same, where it does not matter which it was.
absl::StatusOr<Bytes> AskBroker(const BrokerQuery& query);

}  // namespace culvert
