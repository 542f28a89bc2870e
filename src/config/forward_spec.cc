#include "config/forward_spec.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "config/names.h"

namespace culvert::config {
namespace {

constexpr const char* kForwardForm = "expected [bind_address:]port:agent:[host:]hostport";
constexpr const char* kLocalForm = "expected [bind_address:]port";
constexpr const char* kConnectForm = "expected agent:[host:]port";

bool IsDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The rest of `text` from the beginning of `field`, which is a part of it.
std::string_view From(std::string_view text, std::string_view field) {
  return text.substr(static_cast<size_t>(field.data() - text.data()));
}

absl::Status InField(const char* field, std::string_view text, const absl::Status& why) {
  return Annotate(why, fmt::format("{} \"{}\"", field, Printable(text)));
}

absl::StatusOr<std::string> AgentField(std::string_view text) {
  absl::StatusOr<std::string> agent = ParseAgentName(text);
  if (!agent.ok()) return InField("agent", text, agent.status());
  return agent;
}

absl::Status ReadLocal(std::string_view text, ForwardSpec& spec) {
  const auto fields = SplitFields(text);
  if (!fields || fields->size() > 2) return absl::InvalidArgumentError(kLocalForm);
  const std::string_view port_text = fields->back();
  const absl::StatusOr<uint16_t> port = ParseBindPort(port_text);
  if (!port.ok()) return InField("port", port_text, port.status());
  spec.bind_port = *port;
  if (fields->size() == 1) return absl::OkStatus();
  absl::StatusOr<std::string> host = ParseBindHost(fields->front());
  if (!host.ok()) return InField("bind address", fields->front(), host.status());
  spec.bind_host = *std::move(host);
  return absl::OkStatus();
}

}  // namespace

std::string ForwardSpec::ToString() const {
  return fmt::format("{}:{}:{}", bind().ToString(), agent, target.ToString());
}

std::string ForwardSpec::Arrow(uint16_t bound_port) const {
  const Endpoint bound{bind_host, bound_port};
  return fmt::format("{} -> {} {}", bound.ToString(), agent, target.ToString());
}

absl::StatusOr<ForwardSpec> ForwardSpecFrom(std::string_view local, std::string_view agent,
                                            std::string_view target) {
  ForwardSpec spec;
  CULVERT_RETURN_IF_ERROR(ReadLocal(local, spec));
  CULVERT_ASSIGN_OR_RETURN(spec.agent, AgentField(agent));
  CULVERT_ASSIGN_OR_RETURN(spec.target, ParseUserTarget(target));
  return spec;
}

absl::StatusOr<ForwardSpec> ParseForwardSpec(std::string_view text) {
  const auto fields = SplitFields(text);
  if (!fields) return absl::InvalidArgumentError(kForwardForm);
  const size_t agent_at = IsDigits(fields->front()) ? 1 : 2;
  const size_t target_fields = fields->size() - std::min(fields->size(), agent_at + 1);
  if (target_fields != 1 && target_fields != 2) return absl::InvalidArgumentError(kForwardForm);
  const std::string_view agent = (*fields)[agent_at];
  const auto local_end = static_cast<size_t>(agent.data() - text.data()) - 1;
  return ForwardSpecFrom(text.substr(0, local_end), agent, From(text, (*fields)[agent_at + 1]));
}

std::string ConnectSpec::ToString() const { return fmt::format("{}:{}", agent, target.ToString()); }

absl::StatusOr<ConnectSpec> ParseConnectSpec(std::string_view text) {
  const auto fields = SplitFields(text);
  if (!fields || fields->size() < 2 || fields->size() > 3) {
    return absl::InvalidArgumentError(kConnectForm);
  }
  ConnectSpec spec;
  CULVERT_ASSIGN_OR_RETURN(spec.agent, AgentField(fields->front()));
  CULVERT_ASSIGN_OR_RETURN(spec.target, ParseUserTarget(From(text, (*fields)[1])));
  return spec;
}

}  // namespace culvert::config
