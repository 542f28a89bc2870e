#include "forwarder/queries.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "config/credentials_policy.h"
#include "config/main.h"
#include "config/state_owner.h"
#include "crypto/identity.h"
#include "culvert/v1/identity.pb.h"
#include "forwarder/ask.h"
#include "forwarder/make_client.h"
#include "rpc/codec.h"
#include "sdk/enrolment.h"
#include "sdk/known_agents.h"
#include "sdk/renewal.h"

namespace culvert::forwarder {
namespace {

namespace pb = culvert::v1;
using Json = nlohmann::ordered_json;

template <typename Response>
absl::StatusOr<Response> Ask(const config::ForwarderConfig& config,
                             const crypto::Identity& identity, rpc::Method method,
                             const google::protobuf::MessageLite& request) {
  CULVERT_ASSIGN_OR_RETURN(const BrokerAnswer answer,
                           AskAs(identity, config, method, rpc::FrameOf(request)));
  return ParseAnswer<Response>(answer.message);
}

// RFC 3339.
std::string TimeText(std::time_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

Json DescribeIdentity(const crypto::Identity& identity) {
  const crypto::SpiffeId& id = identity.spiffe_id();
  return {{"name", id.name},
          {"role", crypto::RoleName(id.role)},
          {"project", "projects/" + id.project},
          {"spiffe_id", id.ToString()},
          {"key", identity.key.public_key().id()},
          {"expires",
           TimeText(std::chrono::system_clock::to_time_t(identity.certificate.not_after()))}};
}

// "key: value" lines, the values below each other.
std::string Lines(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items()) {
    text += fmt::format("{:<10} {}\n", key, Printable(value.get<std::string>()));
  }
  return text;
}

absl::Status WhoAmI(const config::ForwarderConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const crypto::Identity identity, OwnIdentity(config));
  Json answer = DescribeIdentity(identity);
  const auto response =
      Ask<pb::WhoAmIResponse>(config, identity, rpc::Method::kWhoAmI, pb::WhoAmIRequest());
  if (response.ok()) {
    answer["address"] = response->address();
    answer["broker"] = "ok";
  } else {
    answer["broker"] = std::string(MessageOf(response.status()));
  }
  CULVERT_RETURN_IF_ERROR(config::PrintResult(config.json ? answer.dump() + "\n" : Lines(answer)));
  return response.status();
}

Json AgentJson(const pb::ListAgentsResponse::Agent& agent, std::time_t now) {
  Json services = Json::array();
  for (const std::string& service : agent.services()) services.push_back(service);
  return {{"name", agent.name()},
          {"key", agent.key_thumbprint()},
          {"since", TimeText(now - agent.online_ms() / 1000)},
          {"services", services},
          {"address", agent.address()},
          {"region", agent.region()},
          {"service_domain", agent.service_domain()}};
}

std::string AgentTable(const std::vector<Json>& agents) {
  constexpr const char* kRow = "{:<24} {:<52} {:<20} {:<12} {}\n";
  std::string text = fmt::format(kRow, "NAME", "KEY", "SINCE", "SERVICES", "ADDRESS");
  for (const Json& agent : agents) {
    std::string services;
    for (const auto& service : agent["services"]) {
      services += (services.empty() ? "" : ",") + service.get<std::string>();
    }
    const auto field = [&agent](const char* key) {
      return Printable(agent[key].get<std::string>());
    };
    text += fmt::format(kRow, field("name"), field("key"), field("since"), Printable(services),
                        field("address"));
  }
  return text;
}

absl::Status Agents(const config::ForwarderConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const crypto::Identity identity, OwnIdentity(config));
  CULVERT_ASSIGN_OR_RETURN(const auto response,
                           Ask<pb::ListAgentsResponse>(config, identity, rpc::Method::kListAgents,
                                                       pb::ListAgentsRequest()));
  const std::time_t now = std::time(nullptr);
  std::vector<Json> agents;
  for (const auto& agent : response.agents()) agents.push_back(AgentJson(agent, now));
  std::sort(agents.begin(), agents.end(),
            [](const Json& a, const Json& b) { return a["name"] < b["name"]; });
  if (!config.json) return config::PrintResult(AgentTable(agents));
  std::string lines;
  for (const Json& agent : agents) lines += agent.dump() + "\n";
  return config::PrintResult(lines);
}

absl::Status ListKnownAgents(const KnownAgents& known, bool json) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<KnownAgents::Entry> entries, known.List());
  std::string text;
  for (const KnownAgents::Entry& entry : entries) {
    const size_t slash = entry.agent.find('/');
    const std::string project = entry.agent.substr(0, slash);
    const std::string name = entry.agent.substr(slash + 1);
    text +=
        json ? Json{{"project", "projects/" + project}, {"name", name}, {"key", entry.key}}.dump() +
                   "\n"
             : fmt::format("{:<24} {:<52} projects/{}\n", Printable(name), entry.key,
                           Printable(project));
  }
  return config::PrintResult(text);
}

absl::Status ChangeKnownAgents(const config::ForwarderConfig& config) {
  using Action = config::KnownAgentsCommand::Action;
  CULVERT_RETURN_IF_ERROR(config::ActAsOwner(config.common.state_dir));
  const KnownAgents known(config.common.state_dir);
  if (config.known_agents.action == Action::kList) return ListKnownAgents(known, config.json);
  CULVERT_ASSIGN_OR_RETURN(const crypto::Identity identity, OwnIdentity(config));
  const std::string agent = identity.spiffe_id().project + "/" + config.known_agents.agent;
  if (config.known_agents.action == Action::kRemove) return known.Remove(agent);
  return known.Add({agent, config.known_agents.key});
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  config::PrintError(kProgram, status);
  return config::kExitFailure;
}

}  // namespace

int RunEnroll(const config::ForwarderConfig& config) {
  EnrolmentRequest request;
  request.brokers = config::ToStrings(config.brokers);
  request.state_dir = config.common.state_dir;
  request.role = crypto::SpiffeId::Role::kUser;
  request.replace = config.enrol.force;
  return config::RunEnroll(kProgram, config.common.state_dir, config.brokers, config.enrol,
                           [&](const std::string& token) {
                             request.token = token;
                             return Enroll(request);
                           });
}

int RunRenew(const config::ForwarderConfig& config) {
  if (const absl::Status usable = config::CheckIdentified(config); !usable.ok()) {
    return ExitCode(usable);
  }
  return config::RunRenew(kProgram, config.common.state_dir, [&] {
    return RenewNow(config.common.state_dir, config::ToStrings(config.brokers),
                    config.rotate_key ? KeyChoice::kNew : KeyChoice::kSame);
  });
}

int RunWhoAmI(const config::ForwarderConfig& config) { return ExitCode(WhoAmI(config)); }

int RunKnownAgents(const config::ForwarderConfig& config) {
  return ExitCode(ChangeKnownAgents(config));
}

int RunAgents(const config::ForwarderConfig& config) { return ExitCode(Agents(config)); }

}  // namespace culvert::forwarder
