#include "forwarder/project_client.h"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace culvert::forwarder {
namespace {

// A filter that few of very many projects meet makes the broker look at all of them.
constexpr Duration kProjectsLimit = std::chrono::minutes(1);

}  // namespace

absl::StatusOr<std::unique_ptr<ProjectClient>> ProjectClient::Make(
    const config::ForwarderConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const crypto::Identity identity, OwnIdentity(config));
  return std::unique_ptr<ProjectClient>(
      new ProjectClient({.brokers = config::ToStrings(config.brokers),
                         .credentials = rpc::Credentials::ForIdentity(identity),
                         .limit = kProjectsLimit,
                         .max_answer_bytes = rpc::kMaxProjectsBytes}));
}

absl::Status PrintNow(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return absl::OkStatus();
  const int error = errno;
  if (error == EPIPE) return absl::CancelledError("nobody reads standard output any more");
  return absl::DataLossError(
      fmt::format("write to standard output: {}", std::generic_category().message(error)));
}

}  // namespace culvert::forwarder
