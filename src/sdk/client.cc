#include "culvert/client.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/identity.h"
#include "sdk/client_core.h"

namespace culvert {
namespace {

absl::StatusOr<crypto::Identity> ReadIdentity(const std::string& state_dir) {
  if (state_dir.empty()) {
    return absl::FailedPreconditionError("no state_dir: enrol first, and name its directory");
  }
  absl::StatusOr<crypto::Identity> identity = crypto::LoadIdentity(state_dir);
  if (absl::IsNotFound(identity.status())) {
    return absl::FailedPreconditionError(
        fmt::format("no identity in {}: enrol with a token first", Printable(state_dir)));
  }
  if (!identity.ok()) return identity.status();
  CULVERT_RETURN_IF_ERROR(
      Annotate(identity->certificate.CheckValidAt(std::chrono::system_clock::now()),
               fmt::format("identity in {}", Printable(state_dir))));
  return identity;
}

// Messages name who sends them, and the broker lets nobody give another name than its own.
absl::Status TakeName(const crypto::Identity& identity, ClientOptions& options) {
  const crypto::SpiffeId& id = identity.spiffe_id();
  const std::string project = "projects/" + id.project;
  if (!options.name.empty() && options.name != id.name) {
    return absl::FailedPreconditionError(
        fmt::format("name {}: the identity is that of {}", Printable(options.name), id.name));
  }
  if (!options.project.empty() && options.project != project) {
    return absl::FailedPreconditionError(
        fmt::format("{}: the identity is of {}", Printable(options.project), project));
  }
  options.name = id.name;
  options.project = project;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ClientOptions& options) {
  ClientOptions complete = options;
  std::optional<crypto::Identity> identity;
  if (options.insecure) {
    if (complete.project.empty()) complete.project = "projects/default";
  } else {
    CULVERT_ASSIGN_OR_RETURN(identity, ReadIdentity(options.state_dir));
    CULVERT_RETURN_IF_ERROR(TakeName(*identity, complete));
  }
  CULVERT_ASSIGN_OR_RETURN(
      const std::vector<BrokerName> brokers,
      options.insecure ? LoopbackBrokers(options.brokers) : ParseBrokers(options.brokers));
  auto core = std::make_unique<ClientCore>(complete, brokers, identity);
  CULVERT_RETURN_IF_ERROR(core->AwaitBrokers());
  return std::unique_ptr<Client>(new Client(std::move(core)));
}

Client::Client(std::unique_ptr<ClientCore> core) : core_(std::move(core)) {}

Client::~Client() = default;

void Client::Post(absl::AnyInvocable<void() &&> task) { core_->loop().Post(std::move(task)); }

void Client::Run(absl::AnyInvocable<void() &&> task) { core_->RunOnLoop(std::move(task)); }

}  // namespace culvert
