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

namespace culvert {

struct BrokerQuery {
  static constexpr Duration kLimit = std::chrono::seconds(10);

  std::vector<std::string> brokers;  // as in ClientOptions
  rpc::Credentials credentials = rpc::Credentials::Insecure();
  rpc::Method method = rpc::Method::kWhoAmI;
  rpc::Frame request = {};
  Duration limit = kLimit;  // for each broker
};

struct BrokerAnswer {
  Bytes message;
  std::string address;  // the IP address that it came from
};

// Asks the brokers in turn until one answers; only one that cannot be reached sends on to the next.
// The message of a failure names the broker. Blocks, on a loop thread of its own.
absl::StatusOr<BrokerAnswer> AskOneBroker(const BrokerQuery& query);
// The same, where it does not matter which it was.
absl::StatusOr<Bytes> AskBroker(const BrokerQuery& query);

}  // namespace culvert
