#include "sdk/broker_query.h"

#include <utility>

#include "base/status.h"

namespace culvert {

absl::StatusOr<BrokerAnswer> AskOneBroker(const BrokerQuery& query) {
  BrokerCaller caller(
      {.brokers = query.brokers, .credentials = query.credentials, .limit = query.limit});
  return caller.Ask(query.method, query.request);
}

absl::StatusOr<Bytes> AskBroker(const BrokerQuery& query) {
  CULVERT_ASSIGN_OR_RETURN(BrokerAnswer answer, AskOneBroker(query));
  return std::move(answer.message);
}

}  // namespace culvert
