#include "broker/audit_event.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"

namespace culvert::broker {
namespace {

using NamedKind = std::pair<AuditKind, std::string_view>;
constexpr std::array<NamedKind, 18> kNames = {{{AuditKind::kEnrol, "enrol"},
                                               {AuditKind::kRenew, "renew"},
                                               {AuditKind::kLogin, "login"},
                                               {AuditKind::kRegister, "register"},
                                               {AuditKind::kUnregister, "unregister"},
                                               {AuditKind::kOpen, "open"},
                                               {AuditKind::kResume, "resume"},
                                               {AuditKind::kDeny, "deny"},
                                               {AuditKind::kFail, "fail"},
                                               {AuditKind::kClose, "close"},
                                               {AuditKind::kPolicy, "policy"},
                                               {AuditKind::kToken, "token"},
                                               {AuditKind::kRevoke, "revoke"},
                                               {AuditKind::kKill, "kill"},
                                               {AuditKind::kRendezvous, "rendezvous"},
                                               {AuditKind::kProject, "project"},
                                               {AuditKind::kGone, "gone"},
                                               {AuditKind::kAdmin, "admin"}}};

}  // namespace

std::string_view AuditKindName(AuditKind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return "";
}

absl::StatusOr<AuditKind> ParseAuditKind(std::string_view text) {
  std::string names;
  for (const auto& [value, name] : kNames) {
    if (name == text) return value;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  return absl::InvalidArgumentError(fmt::format("expected one of {}", names));
}

std::string AuditEvent::ToLine(WallTime time) const {
  nlohmann::ordered_json line = {{"time", FormatTime(time)}, {"event", AuditKindName(kind)}};
  const auto add = [&line](const char* name, const std::string& value) {
    if (!value.empty()) line[name] = Printable(value, kMaxFieldBytes);
  };
  add("project", project);
  add("principal", principal);
  add("key", key);
  add("address", address);
  add("agent", agent);
  add("service", service);
  add("target", target);
  add("channel", channel);
  if (bytes_sent) line["bytes_sent"] = *bytes_sent;
  if (bytes_received) line["bytes_received"] = *bytes_received;
  if (duration) line["duration_s"] = ToSeconds(*duration);
  add("code", code);
  add("reason", reason);
  return line.dump();
}

}  // namespace culvert::broker
