#include "forwarder/login.h"

#include <fmt/format.h>

#include "base/status.h"
#include "config/client_options.h"
#include "config/main.h"
#include "config/state_owner.h"
#include "forwarder/make_client.h"
#include "sdk/login.h"

namespace culvert::forwarder {
namespace {

absl::Status LoginNow(const config::ForwarderConfig& config) {
  LoginRequest request;
  request.brokers = config::ToStrings(config.brokers);
  request.state_dir = config.common.state_dir;
  request.authority_fingerprint = config.login.ca_fingerprint;
  request.replace = config.login.force;
  if (!config.login.ca_cert.empty()) {
    CULVERT_ASSIGN_OR_RETURN(request.authority, config::ReadAuthority(config.login.ca_cert));
  }
  CULVERT_ASSIGN_OR_RETURN(request.jwt, config::ReadJwt(config.login));
  CULVERT_RETURN_IF_ERROR(config::ActAsOwner(request.state_dir));
  CULVERT_ASSIGN_OR_RETURN(const crypto::Identity identity, Login(request));
  CULVERT_RETURN_IF_ERROR(config::SaveEnrolledBrokers(request.state_dir, config.brokers));
  const crypto::SpiffeId& id = identity.spiffe_id();
  return config::PrintResult(fmt::format("logged in as {} {} of projects/{} until {}\nkey id: {}\n",
                                         crypto::RoleName(id.role), id.name, id.project,
                                         FormatTime(identity.certificate.not_after()),
                                         identity.key.public_key().id()));
}

}  // namespace

int RunLogin(const config::ForwarderConfig& config) {
  const absl::Status done = LoginNow(config);
  if (done.ok()) return 0;
  config::PrintError(kProgram, Annotate(done, "login"));
  return config::kExitFailure;
}

}  // namespace culvert::forwarder
