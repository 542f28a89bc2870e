// Quotas of projects, for administrators.
#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "broker/admin_commands.h"

namespace culvert::broker {
namespace {

// What is not limited is left out.
Json QuotaJson(const std::string& project, const store::Quota& quota) {
  Json json = {{"project", project}};
  const auto add = [&json](const char* name, const std::optional<uint64_t>& limit) {
    if (limit) json[name] = *limit;
  };
  add("agents", quota.agents);
  add("channels", quota.channels);
  add("bytes_per_second", quota.bytes_per_second);
  add("new_channels_per_second", quota.new_channels_per_second);
  return json;
}

Json UseJson(const store::Quota& quota, const QuotaUse& use) {
  Json json = {{"agents", use.agents}, {"channels", use.channels}};
  // Not counted without a limit.
  if (quota.bytes_per_second) json["bytes_per_second"] = use.bytes_per_second;
  if (quota.new_channels_per_second) {
    json["new_channels_per_second"] = use.new_channels_per_second;
  }
  return json;
}

std::string WhoseQuota(const std::string& project) {
  return project == store::QuotaTable::kDefault ? "quota of the other projects" : "quota";
}

AuditEvent QuotaEvent(const AdminCall& call, const std::string& project, std::string reason) {
  const bool is_default = project == store::QuotaTable::kDefault;
  return AdminEvent(call, AuditKind::kPolicy, is_default ? "" : project, std::move(reason));
}

}  // namespace

absl::StatusOr<AdminOutcome> SetQuota(AdminCall& call) {
  const std::string project = TakeProject(call);
  store::QuotaChange change;
  CULVERT_ASSIGN_OR_RETURN(change.agents, call.args.TakeQuotaLimit("agents"));
  CULVERT_ASSIGN_OR_RETURN(change.channels, call.args.TakeQuotaLimit("channels"));
  CULVERT_ASSIGN_OR_RETURN(change.bytes_per_second, call.args.TakeQuotaLimit("bytes_per_second"));
  CULVERT_ASSIGN_OR_RETURN(change.new_channels_per_second,
                           call.args.TakeQuotaLimit("new_channels_per_second"));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  store::Quota changed;
  CULVERT_RETURN_IF_ERROR(call.store.quotas().Set(project, change, changed));
  return AdminOutcome{
      QuotaJson(project, changed), AdminChange::kQuotas,
      QuotaEvent(call, project, fmt::format("{}: {}", WhoseQuota(project), changed.ToString()))};
}

absl::StatusOr<AdminOutcome> ClearQuota(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  CULVERT_RETURN_IF_ERROR(call.store.quotas().Clear(project));
  return AdminOutcome{Json::object(), AdminChange::kQuotas,
                      QuotaEvent(call, project, WhoseQuota(project) + " taken away")};
}

absl::StatusOr<AdminOutcome> ListQuotas(AdminCall& call) {
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  Json list = Json::array();
  for (const auto& [project, quota] : call.store.quotas().List()) {
    Json& json = list.emplace_back(QuotaJson(project, quota));
    if (project == store::QuotaTable::kDefault) continue;
    const std::optional<QuotaUse> use = call.quota_use(project);
    if (use) json["use"] = UseJson(quota, *use);
  }
  return AdminOutcome{std::move(list)};
}

}  // namespace culvert::broker
