// The admin commands about how much a project may have.
#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "config/broker_admin_flags.h"
#include "config/broker_admin_table.h"
#include "config/units.h"

namespace culvert::config {
namespace {

using ParseNumber = absl::StatusOr<uint64_t> (*)(std::string_view text);

absl::StatusOr<uint64_t> ParseCount(std::string_view text) {
  CULVERT_ASSIGN_OR_RETURN(const uint32_t count, ParseLimitOrZero(text));
  return count;
}

// `name` is what the broker is told.
Setting QuotaFlag(AdminCommand& admin, std::string flag, std::string name, std::string help,
                  ParseNumber parse) {
  Setting setting{std::move(flag), '\0', "N", std::move(help)};
  setting.form = FileForm::kNone;
  setting.set = [&admin, parse, name = std::move(name)](std::string_view text) -> absl::Status {
    std::optional<uint64_t> limit;
    if (text != "unlimited") {
      const absl::StatusOr<uint64_t> number = parse(text);
      if (!number.ok()) {
        return absl::InvalidArgumentError(
            fmt::format("{}, or unlimited", MessageOf(number.status())));
      }
      limit = *number;
    }
    admin.limits[name] = limit;
    return absl::OkStatus();
  };
  return setting;
}

Settings WhoseFlags(AdminCommand& admin) {
  Setting project = ProjectFlag(admin);
  project.set = [&admin, set = std::move(project.set)](std::string_view text) {
    admin.has_project = true;
    return set(text);
  };
  Setting others = SwitchSetting(
      {"others", '\0', "", "All projects that have no quota of their own."}, admin.all_others);
  others.variable.clear();
  others.key.clear();
  Settings settings;
  settings.push_back(std::move(project));
  settings.push_back(std::move(others));
  return settings;
}

Settings QuotaFlags(AdminCommand& admin) {
  Settings settings = WhoseFlags(admin);
  settings.push_back(QuotaFlag(admin, "agents", "agents",
                               "Agents that are registered at once; 0 for none, or unlimited.",
                               ParseCount));
  settings.push_back(QuotaFlag(admin, "channels", "channels",
                               "Connections that are open at once, being opened, or without a\n"
                               "      path for a while.",
                               ParseCount));
  settings.push_back(QuotaFlag(admin, "bytes-per-second", "bytes_per_second",
                               "Bytes of all connections, both ways together: 10MiB, 512K; from\n"
                               "      64KiB to 1024GiB.",
                               ParseByteRate));
  settings.push_back(QuotaFlag(admin, "new-channels-per-second", "new_channels_per_second",
                               "Connections that are begun in a second.", ParseCount));
  return settings;
}

absl::Status CheckWhose(const AdminCommand& admin) {
  if (!admin.all_others || !admin.has_project) return absl::OkStatus();
  return absl::InvalidArgumentError("give one of --project PROJECT and --others");
}

}  // namespace

void AddQuotas(AdminTable& table, AdminCommand& admin) {
  Command& set = table.Add({"quota set", "[--project PROJECT | --others] --agents N [options]",
                            "Limit what a project may have.",
                            "Sets limits of a project, or of all projects that have no quota of\n"
                            "their own. What is not named stays as it is; unlimited takes a limit\n"
                            "away. It counts at once, and cuts nothing that runs.",
                            QuotaFlags(admin)});
  set.finish = [&admin, name = set.name]() -> absl::Status {
    admin.name = name;
    CULVERT_RETURN_IF_ERROR(CheckWhose(admin));
    if (!admin.limits.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "give one of --agents, --channels, --bytes-per-second and --new-channels-per-second");
  };
  Command& clear = table.Add(
      {"quota clear", "[--project PROJECT | --others] [options]", "Take a project's quota away.",
       "Takes the quota of a project away: that of the others counts for it\n"
       "from now on. With --others takes that one away.",
       WhoseFlags(admin)});
  clear.finish = [&admin, name = clear.name]() -> absl::Status {
    admin.name = name;
    return CheckWhose(admin);
  };
  table.AddList("quota", "List the quotas of all projects, and their use.",
                "Lists the quotas of all projects; * is for those without one. Where the broker\n"
                "runs what is used comes before each limit.",
                {});
}

}  // namespace culvert::config
