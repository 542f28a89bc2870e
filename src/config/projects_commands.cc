#include "config/projects_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "config/forwarder_commands.h"
#include "config/names.h"
#include "config/projects_flags.h"

namespace culvert::config {
namespace {

using Action = ProjectsConfig::Action;
using Check = absl::Status (*)(const ProjectsConfig&);

absl::Status SetNames(const std::vector<std::string>& words, ProjectsConfig& projects) {
  for (const std::string& word : words) {
    absl::StatusOr<std::string> name = ParseProject(word);
    if (!name.ok()) return Annotate(name.status(), fmt::format("NAME \"{}\"", Printable(word)));
    const auto& names = projects.names;
    if (std::find(names.begin(), names.end(), *name) != names.end()) {
      return absl::InvalidArgumentError(fmt::format("{} is given twice", *name));
    }
    projects.names.push_back(*std::move(name));
  }
  return absl::OkStatus();
}

absl::Status CheckList(const ProjectsConfig& projects) {
  if (projects.names.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("list takes no NAME: 'culvert projects get {}' shows one", projects.names[0]));
}

absl::Status CheckGet(const ProjectsConfig& projects) {
  if (!projects.names.empty() || !projects.files.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "NAME is missing: which project? 'culvert projects list' shows all of them");
}

// One name stands for one project, whichever way it is described.
absl::Status CheckOneName(const ProjectsConfig& projects) {
  if (projects.names.size() <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError("expected one NAME: several projects can be in a file (-f)");
}

absl::Status CheckUpdate(const ProjectsConfig& projects) {
  CULVERT_RETURN_IF_ERROR(CheckOneName(projects));
  if (!projects.files.empty()) return absl::OkStatus();
  if (projects.names.empty()) return absl::InvalidArgumentError("NAME or -f FILE is missing");
  if (!projects.edit.empty() || !projects.update_mask.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "nothing to change: give -f FILE or flags such as --label KEY=VALUE");
}

absl::Status CheckDelete(const ProjectsConfig& projects) {
  if (!projects.names.empty() || !projects.files.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("NAME or -f FILE is missing: which project?");
}

absl::Status CheckWatch(const ProjectsConfig& projects) {
  if (!projects.resume_token.empty() && projects.starting_time) {
    return absl::InvalidArgumentError("--resume-token and --starting-time exclude each other");
  }
  const bool goes_on = !projects.resume_token.empty() || projects.starting_time;
  if (!projects.is_of_a_page() || !goes_on) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--order-by and --page-size watch a page, which cannot be resumed: leave them out, or "
      "--resume-token and --starting-time");
}

// Builds the commands, so that each says only what is its own.
class CommandTable {
 public:
  CommandTable(ForwarderConfig& config, const Settings& shared)
      : config_(config), shared_(shared) {}

  void Add(Action action, Command command, Settings own, Check check) {
    Settings settings =
        KeepFlags(shared_, {"broker", "config", "state-dir", "log-level", "quiet", "verbose"});
    settings.push_back(SwitchSetting({"json", '\0', "", "The same as -o json."}, config_.json));
    settings.push_back(OutputFlag(config_.projects));
    settings.push_back(NoHeadersFlag(config_.projects));
    for (Setting& setting : own) settings.push_back(std::move(setting));
    command.settings = std::move(settings);
    command.set_positional = [&config = config_](const std::vector<std::string>& words) {
      return SetNames(words, config.projects);
    };
    command.finish = [&config = config_, action, check]() -> absl::Status {
      config.command = ForwarderConfig::Command::kProjects;
      config.projects.action = action;
      CULVERT_RETURN_IF_ERROR(check(config.projects));
      if (config.json && !config.projects.output) {
        config.projects.output = ProjectsConfig::Output::kJson;
      }
      return FinishBrokers(config);
    };
    commands_.push_back(std::move(command));
  }

  std::vector<Command> Take() { return std::move(commands_); }

 private:
  ForwarderConfig& config_;
  const Settings& shared_;
  std::vector<Command> commands_;
};

Settings Joined(std::vector<Settings> groups) {
  Settings all;
  for (Settings& group : groups) {
    for (Setting& setting : group) all.push_back(std::move(setting));
  }
  return all;
}

void AddReads(CommandTable& table, ProjectsConfig& projects) {
  table.Add(Action::kList,
            {"projects list",
             "[options]",
             "List projects.",
             "Lists all projects that you may see, or those that a filter chooses. JSON is one\n"
             "array, YAML a document for each project.",
             {}},
            Joined({{FilterFlag(projects), OrderFlag(projects)}, PageFlags(projects)}), CheckList);
  table.Add(Action::kGet,
            {"projects get",
             "[options] NAME ... | -f FILE",
             "Show projects.",
             "Shows the projects that are named: lab or projects/lab. Exits with 1 if one of\n"
             "them does not exist.",
             {}},
            {FileFlag(projects)}, CheckGet);
  table.Add(Action::kWatch,
            {"projects watch",
             "[options] [NAME ...]",
             "Show projects, and then each change.",
             "Prints a line for each project, and then one whenever a project was made,\n"
             "changed or deleted, until Ctrl-C. JSON is one object on a line. While the\n"
             "broker is away it waits, and nothing of what changed meanwhile is left out.",
             {}},
            Joined({{FilterFlag(projects), OrderFlag(projects)}, WatchFlags(projects)}),
            CheckWatch);
}

void AddWrites(CommandTable& table, ProjectsConfig& projects) {
  table.Add(Action::kCreate,
            {"projects create",
             "[options] [NAME]",
             "Make projects.",
             "Makes a project by its name and flags, or those in files. A name is drawn if\n"
             "none is given. Prints \"projects/NAME created\", or the project with -o.",
             {}},
            Joined({{FileFlag(projects)}, ContentFlags(projects)}), CheckOneName);
  table.Add(Action::kUpdate,
            {"projects update",
             "[options] NAME | -f FILE",
             "Change projects.",
             "Changes what the flags name and nothing else, or makes projects what a file\n"
             "says. Prints \"projects/NAME updated\" or \"unchanged\", or the project with -o.",
             {}},
            Joined({{FileFlag(projects)},
                    ContentFlags(projects),
                    UpdateFlags(projects),
                    {AllowMissingFlag(projects, "Make a project that does not exist.")}}),
            CheckUpdate);
  table.Add(Action::kDelete,
            {"projects delete",
             "[options] NAME ... | -f FILE",
             "Delete projects.",
             "Deletes projects with all that is of them: sessions and tunnels end, and the\n"
             "keys of their agents and users are withdrawn. On a terminal it asks first.",
             {}},
            {FileFlag(projects), YesFlag(projects),
             AllowMissingFlag(projects, "A project that does not exist is no error.")},
            CheckDelete);
}

}  // namespace

std::vector<Command> ProjectCommands(ForwarderConfig& config, const Settings& shared) {
  CommandTable table(config, shared);
  AddReads(table, config.projects);
  AddWrites(table, config.projects);
  return table.Take();
}

}  // namespace culvert::config
