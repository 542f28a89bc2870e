#include "forwarder/client_options.h"

#include "base/status.h"
#include "config/credentials_policy.h"

namespace culvert::forwarder {

absl::StatusOr<std::unique_ptr<Client>> MakeClient(const config::ForwarderConfig& config) {
  CULVERT_RETURN_IF_ERROR(config::CheckCredentials(config));
  ClientOptions options;
  for (const config::Endpoint& broker : config.brokers)
    options.brokers.push_back(broker.ToString());
  options.project = config.project;
  options.region = config.region;
  options.service_domain = config.service_domain;
  options.name = config.name;
  options.memory_limit = config.common.memory_limit;
  options.insecure = config.common.insecure;
  return Client::Create(options);
}

}  // namespace culvert::forwarder
