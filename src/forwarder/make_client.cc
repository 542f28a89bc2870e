#include "forwarder/make_client.h"

#include "base/log.h"
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
  options.end_to_end = config.end_to_end;
  if (config.end_to_end == EndToEndChoice::kOff && !config.common.insecure) {
    CULVERT_LOG(kWarning,
                "no end-to-end encryption (--e2e off): the broker can read and change every byte");
  }
  return Client::Create(options);
}

}  // namespace culvert::forwarder
