#include "forwarder/ask.h"

#include <utility>

#include "config/credentials_policy.h"
#include "config/state_owner.h"

namespace culvert::forwarder {

absl::StatusOr<crypto::Identity> OwnIdentity(const config::ForwarderConfig& config) {
  CULVERT_RETURN_IF_ERROR(config::CheckIdentified(config));
  CULVERT_RETURN_IF_ERROR(config::ActAsOwner(config.common.state_dir));
  return crypto::LoadIdentity(config.common.state_dir);
}

absl::StatusOr<BrokerAnswer> AskAs(const crypto::Identity& identity,
                                   const config::ForwarderConfig& config, rpc::Method method,
                                   rpc::Frame request) {
  BrokerQuery query;
  query.brokers = config::ToStrings(config.brokers);
  query.credentials = rpc::Credentials::ForIdentity(identity);
  query.method = method;
  query.request = std::move(request);
  return AskOneBroker(query);
}

}  // namespace culvert::forwarder
