#include "config/projects_flags.h"

#include <string>
#include <string_view>
#include <utility>

#include "config/broker_admin_flags.h"
#include "config/names.h"
#include "config/units.h"

namespace culvert::config {
namespace {

using Entry = ProjectsConfig::Entry;
using Output = ProjectsConfig::Output;

absl::StatusOr<std::optional<Output>> ParseOutput(std::string_view text) {
  if (text.substr(0, 1) == "=") text.remove_prefix(1);  // -o=json, as kubectl takes it
  if (text == "table") return Output::kTable;
  if (text == "wide") return Output::kWide;
  if (text == "json") return Output::kJson;
  if (text == "yaml") return Output::kYaml;
  if (text == "name") return Output::kName;
  return absl::InvalidArgumentError("expected table, wide, json, yaml or name");
}

// Nothing stands for the default, as scripts have it.
absl::StatusOr<std::string> Text(std::string_view text) { return std::string(text); }

absl::StatusOr<Entry> ParseEntry(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return absl::InvalidArgumentError("expected KEY=VALUE");
  }
  return Entry(text.substr(0, equals), text.substr(equals + 1));
}

absl::StatusOr<std::string> ParseRegionId(std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("expected a region");
  return ParseRegion(text);
}

absl::StatusOr<std::optional<std::string>> ParseControlRegion(std::string_view text) {
  CULVERT_ASSIGN_OR_RETURN(std::string region, ParseRegion(text));
  return std::optional(std::move(region));
}

absl::StatusOr<std::optional<WallTime>> ParseStart(std::string_view text) {
  const std::optional<WallTime> time = ParseTime(text);
  if (time) return time;
  return absl::InvalidArgumentError("expected a time such as 2026-01-31T08:00:00Z");
}

// A flag that adds to `field` each time that it is given.
template <class Value>
Setting Adding(Setting setting, std::vector<Value>& field,
               absl::StatusOr<Value> (*parse)(std::string_view)) {
  setting.set = [&field, parse](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(Value value, parse(text));
    field.push_back(std::move(value));
    return absl::OkStatus();
  };
  return Repeatable(std::move(setting));
}

// A switch of one command: neither a variable nor the file can set it.
Setting OwnSwitch(Setting setting, bool& field) {
  setting = SwitchSetting(std::move(setting), field);
  setting.variable.clear();
  setting.key.clear();
  return setting;
}

Setting RegionFlag(ProjectsConfig& projects) {
  Setting setting{"region", '\0', "REGION",
                  "A region that is in use. Those that are given are all of them."};
  setting.set = [&projects](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(std::string region, ParseRegionId(text));
    if (!projects.edit.regions) projects.edit.regions.emplace();
    projects.edit.regions->push_back(std::move(region));
    return absl::OkStatus();
  };
  return Repeatable(std::move(setting));
}

}  // namespace

Setting OutputFlag(ProjectsConfig& projects) {
  return Flag({"output", 'o', "FORMAT", "table, wide, json, yaml or name."}, projects.output,
              ParseOutput);
}

Setting NoHeadersFlag(ProjectsConfig& projects) {
  Setting setting{"no-headers", '\0', "", "Leave the first line of a table out."};
  setting.form = FileForm::kSwitch;
  setting.default_text = "off";
  setting.set = [&projects](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(const bool off, ParseSwitch(text));
    projects.headers = !off;
    return absl::OkStatus();
  };
  return setting;
}

Setting FileFlag(ProjectsConfig& projects) {
  return Adding({"filename", 'f', "FILE",
                 "Projects in JSON or YAML; - is standard input. Several may be in one\n"
                 "      file: documents, or an array."},
                projects.files, AnyText);
}

Setting FilterFlag(ProjectsConfig& projects) {
  return Flag({"filter", '\0', "FILTER",
               "What projects must meet, such as 'metadata.labels.env = \"prod\"'."},
              projects.filter, Text);
}

Setting AllowMissingFlag(ProjectsConfig& projects, std::string help) {
  return OwnSwitch({"allow-missing", '\0', "", std::move(help)}, projects.allow_missing);
}

Setting OrderFlag(ProjectsConfig& projects) {
  return Flag(
      {"order-by", '\0', "ORDER", "Fields to sort by, such as 'metadata.create_time desc, name'."},
      projects.order_by, Text);
}

Settings PageFlags(ProjectsConfig& projects) {
  return {Flag({"page-size", '\0', "N",
                "How many projects to ask for at a time, at most 1000. All pages are\n"
                "      printed.",
                "500"},
               projects.page_size, ParseLimitOrZero),
          Flag({"limit", '\0', "N", "Print no more than this many projects.", "all"},
               projects.limit, ParseLimitOrZero)};
}

Settings ContentFlags(ProjectsConfig& projects) {
  return {Adding({"label", '\0', "KEY=VALUE", "A label that the project is to have."},
                 projects.edit.labels, ParseEntry),
          Adding({"annotation", '\0', "KEY=VALUE", "An annotation that it is to have."},
                 projects.edit.annotations, ParseEntry),
          RegionFlag(projects),
          Flag({"control-region", '\0', "REGION", "The region of whatever names none itself."},
               projects.edit.control_region, ParseControlRegion)};
}

Settings UpdateFlags(ProjectsConfig& projects) {
  return {
      Adding({"remove-label", '\0', "KEY", "A label to take away."}, projects.edit.removed_labels,
             AnyText),
      Adding({"remove-annotation", '\0', "KEY", "An annotation to take away."},
             projects.edit.removed_annotations, AnyText),
      Adding({"update-mask", '\0', "PATHS",
              "Fields to change, separated by commas. What is masked and not given is\n"
              "      cleared."},
             projects.update_mask, AnyText),
      Flag({"resource-version", '\0', "VERSION",
            "Change the project only if this is its metadata.resourceVersion still."},
           projects.resource_version, AnyText),
  };
}

Settings WatchFlags(ProjectsConfig& projects) {
  return {Flag({"page-size", '\0', "N",
                "Watch the first N projects of the order only, at most 1000: what another\n"
                "      one displaces is deleted.",
                "all; 1000 with --order-by"},
               projects.page_size, ParseLimitOrZero),
          Flag({"resume-token", '\0', "TOKEN",
                "Go on where an earlier watch was, by a resumeToken that it printed."},
               projects.resume_token, Text),
          Flag({"starting-time", '\0', "TIME",
                "Leave out what there is, and begin with what changed after this time."},
               projects.starting_time, ParseStart)};
}

Setting YesFlag(ProjectsConfig& projects) {
  return OwnSwitch({"yes", 'y', "", "Do not ask. Without a terminal nobody is asked."},
                   projects.yes);
}

}  // namespace culvert::config
