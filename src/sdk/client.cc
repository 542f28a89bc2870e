#include "culvert/client.h"

#include <utility>

#include "base/status.h"
#include "sdk/client_core.h"

namespace culvert {

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ClientOptions& options) {
  if (!options.insecure) {
    return absl::FailedPreconditionError(
        "no identity: this version has transport without identities only (insecure, on loopback)");
  }
  CULVERT_ASSIGN_OR_RETURN(const std::vector<std::string> addresses,
                           LoopbackBrokers(options.brokers));
  auto core = std::make_unique<ClientCore>(options, addresses, rpc::Credentials::Insecure());
  return std::unique_ptr<Client>(new Client(std::move(core)));
}

Client::Client(std::unique_ptr<ClientCore> core) : core_(std::move(core)) {}

Client::~Client() = default;

void Client::Post(absl::AnyInvocable<void() &&> task) { core_->loop().Post(std::move(task)); }

void Client::Run(absl::AnyInvocable<void() &&> task) { core_->RunOnLoop(std::move(task)); }

}  // namespace culvert
