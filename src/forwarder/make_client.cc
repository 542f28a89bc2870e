#include "forwarder/make_client.h"

#include "base/status.h"
#include "config/client_options.h"
#include "config/credentials_policy.h"
#include "config/state_owner.h"

namespace culvert::forwarder {

absl::StatusOr<std::unique_ptr<Client>> MakeClient(const config::ForwarderConfig& config) {
  if (!config.common.insecure) {
    CULVERT_RETURN_IF_ERROR(config::CheckOwnState(config.common.state_dir, "identity.pem"));
  }
  CULVERT_RETURN_IF_ERROR(config::CheckCredentials(config));
  ClientOptions options = config::ClientOptionsOf(config);
  options.agent_keys = config.agent_keys;
  return Client::Create(options);
}

}  // namespace culvert::forwarder
