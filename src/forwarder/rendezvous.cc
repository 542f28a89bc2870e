#include "forwarder/rendezvous.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/escaping.h"
#include "base/status.h"
#include "config/main.h"
#include "culvert/v1/control.pb.h"
#include "forwarder/ask.h"
#include "forwarder/make_client.h"
#include "net/address.h"
#include "rpc/codec.h"

namespace culvert::forwarder {
namespace {

namespace pb = culvert::v1;

constexpr size_t kTokenBytes = 32;

std::string Line(const char* role, const std::string& token, const std::string& address,
                 uint32_t expires_s, bool json) {
  const std::string hex = absl::BytesToHexString(token);
  if (!json) return fmt::format("{} {} {} {}\n", role, hex, address, expires_s);
  return nlohmann::ordered_json{
             {"role", role}, {"token", hex}, {"address", address}, {"expires_s", expires_s}}
             .dump() +
         "\n";
}

absl::Status CheckAnswer(const pb::RequestConnectionResponse& response) {
  const bool usable = response.consumer_token().size() == kTokenBytes &&
                      response.provider_token().size() == kTokenBytes && response.data_port() > 0 &&
                      response.data_port() <= UINT16_MAX;
  return usable ? absl::OkStatus()
                : absl::InternalError("the broker answered with tokens that cannot be used");
}

absl::Status Rendezvous(const config::ForwarderConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const crypto::Identity identity, OwnIdentity(config));
  pb::RequestConnectionRequest request;
  request.mutable_raw();
  request.set_agent(config.with_agent);
  request.set_region_id(config.region);
  request.set_service_domain(config.service_domain);
  CULVERT_ASSIGN_OR_RETURN(
      const BrokerAnswer answer,
      AskAs(identity, config, rpc::Method::kRequestConnection, rpc::FrameOf(request)));
  CULVERT_ASSIGN_OR_RETURN(const auto response,
                           ParseAnswer<pb::RequestConnectionResponse>(answer.message));
  CULVERT_RETURN_IF_ERROR(CheckAnswer(response));
  // The data port is where the answer came from, and nowhere else.
  CULVERT_ASSIGN_OR_RETURN(
      const net::Address data_port,
      net::Address::FromLiteral(answer.address, static_cast<uint16_t>(response.data_port())));
  const std::string address = data_port.ToString();
  const uint32_t expires_s = response.expires_ms() / 1000;
  return config::PrintResult(
      Line("consumer", response.consumer_token(), address, expires_s, config.json) +
      Line("provider", response.provider_token(), address, expires_s, config.json));
}

}  // namespace

int RunRendezvous(const config::ForwarderConfig& config) {
  const absl::Status done = Rendezvous(config);
  if (done.ok()) return 0;
  config::PrintError(kProgram, done);
  return config::kExitFailure;
}

}  // namespace culvert::forwarder
