#include "config/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "config/arguments.h"
#include "config/help.h"
#include "config/units.h"

namespace culvert::config {
namespace {

absl::StatusOr<LogLevel> ParseLevel(std::string_view text) {
  absl::StatusOr<LogLevel> level = ParseLogLevel(text);
  if (level.ok()) return level;
  return absl::InvalidArgumentError("expected trace, debug, info, warning, error or off");
}

absl::StatusOr<std::string> ParsePath(std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("expected a path");
  return std::string(text);
}

// The switches of every command that no file or variable sets. Values go nowhere: `Given` asks.
Settings BuiltInSettings() {
  const auto ignore = [](std::string_view) { return absl::OkStatus(); };
  const auto built_in = [&](std::string flag, char letter, std::string help) {
    Setting setting{std::move(flag), letter};
    setting.help = std::move(help);
    setting.form = FileForm::kSwitch;
    setting.set = ignore;
    return setting;
  };
  return {built_in("check-config", '\0', "Check flags, environment and config file, then exit."),
          built_in("help", 'h', "Print this and exit."),
          built_in("version", '\0', "Print the version and exit.")};
}

bool Given(const Arguments& arguments, std::string_view flag) {
  return std::any_of(arguments.flags.begin(), arguments.flags.end(),
                     [flag](const FlagValue& value) { return value.flag == flag; });
}

// The file named by flag or variable; a flag counts more.
std::optional<std::string> NamedConfigFile(const Arguments& arguments,
                                           const Environment& environment) {
  std::optional<std::string> file = environment.Get("CULVERT_CONFIG");
  for (const FlagValue& value : arguments.flags) {
    if (value.flag == "config") file = value.text;
  }
  return file;
}

// Reads the file that is named, which must exist, or the first default one that does.
absl::Status ReadFile(const Program& program, const Settings& settings,
                      const std::optional<std::string>& named) {
  std::vector<std::string> candidates = program.default_config_files;
  if (named) candidates = {*named};
  for (const std::string& path : candidates) {
    const absl::StatusOr<FileValue> file = ReadConfigFile(path);
    if (!named && absl::IsNotFound(file.status())) continue;
    CULVERT_RETURN_IF_ERROR(file.status());
    program.common->config_file = path;
    return ApplyFile(settings, *file);
  }
  return absl::OkStatus();
}

absl::Status SetPositional(const Command& command, const std::vector<std::string>& positional) {
  if (command.set_positional) return command.set_positional(positional);
  if (positional.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("unexpected argument \"{}\"", Printable(positional.front())));
}

absl::Status ReadSources(const Program& program, const Command& command, const Arguments& arguments,
                         const Environment& environment) {
  const std::string runtime_dir = environment.Get("XDG_RUNTIME_DIR").value_or("");
  if (runtime_dir.substr(0, 1) == "/") program.common->runtime_dir = runtime_dir;
  CULVERT_RETURN_IF_ERROR(
      ReadFile(program, command.settings, NamedConfigFile(arguments, environment)));
  CULVERT_RETURN_IF_ERROR(ApplyVariables(command.settings, environment));
  CULVERT_RETURN_IF_ERROR(ApplyFlags(command.settings, arguments.flags));
  return command.finish ? command.finish() : absl::OkStatus();
}

// Where a usage error sends the reader.
absl::Status WithHint(const absl::Status& status, const std::string& command) {
  if (status.ok()) return status;
  return MakeStatus(status.code(), fmt::format("{}; see '{} --help'", MessageOf(status), command));
}

absl::StatusOr<std::string> ReadCommand(const Program& program, const Command& command,
                                        const std::vector<std::string>& args,
                                        const Environment& environment) {
  const std::string full_name = program.name + " " + command.name;
  Command full = command;
  for (Setting& setting : BuiltInSettings()) full.settings.push_back(std::move(setting));
  const absl::StatusOr<Arguments> arguments = SplitArguments(full.settings, args);
  if (!arguments.ok()) return WithHint(arguments.status(), full_name);
  if (Given(*arguments, "help")) return CommandHelp(program.name, full);
  if (Given(*arguments, "version")) return VersionText(program.name);
  CULVERT_RETURN_IF_ERROR(WithHint(SetPositional(command, arguments->positional), full_name));
  CULVERT_RETURN_IF_ERROR(ReadSources(program, full, *arguments, environment));
  if (!Given(*arguments, "check-config")) return "";
  CULVERT_RETURN_IF_ERROR(program.check());
  return "configuration ok\n";
}

const Command* FindCommand(const Program& program, std::string_view name) {
  const auto found = std::find_if(program.commands.begin(), program.commands.end(),
                                  [name](const Command& command) { return command.name == name; });
  return found == program.commands.end() ? nullptr : &*found;
}

// Whether `word` begins the names of some commands: "token" does of "token create".
bool IsGroup(const Program& program, std::string_view word) {
  const std::string start = fmt::format("{} ", word);
  return std::any_of(program.commands.begin(), program.commands.end(),
                     [&start](const Command& command) {
                       return command.name.compare(0, start.size(), start) == 0;
                     });
}

absl::Status UnknownCommand(const Program& program, std::string_view name, const std::string& see) {
  const char* const what = name.substr(0, 1) == "-" ? "option" : "command";
  return WithHint(
      absl::InvalidArgumentError(fmt::format("unknown {} \"{}\"", what, Printable(name))),
      fmt::format("{}{}", program.name, see));
}

bool AsksForHelp(std::string_view word) { return word == "--help" || word == "-h"; }

// `args` begin with the name of a group.
absl::StatusOr<std::string> ReadGroup(const Program& program, const std::vector<std::string>& args,
                                      const Environment& environment) {
  const std::string& group = args.front();
  const std::string see = " " + group;
  if (args.size() == 1) {
    return WithHint(
        absl::InvalidArgumentError(fmt::format("{} needs to be followed by a command", group)),
        program.name + see);
  }
  if (AsksForHelp(args[1])) return GroupHelp(program, group);
  if (args[1] == "--version") return VersionText(program.name);
  const std::string name = fmt::format("{} {}", group, args[1]);
  const Command* const command = FindCommand(program, name);
  if (command == nullptr) {
    return UnknownCommand(program, args[1].substr(0, 1) == "-" ? args[1] : name, see);
  }
  return ReadCommand(program, *command, {args.begin() + 2, args.end()}, environment);
}

// What follows "help".
absl::StatusOr<std::string> ReadHelp(const Program& program, const std::vector<std::string>& words,
                                     const Environment& environment) {
  if (words.empty() || words[0] == "help" || words[0] == "version" || words[0] == "--help") {
    return ProgramHelp(program);
  }
  const bool known = FindCommand(program, words[0]) != nullptr || IsGroup(program, words[0]);
  if (!known) return UnknownCommand(program, words[0], "");
  std::vector<std::string> args = words;
  args.emplace_back("--help");
  return ReadProgram(program, args, environment);
}

}  // namespace

Settings CommonSettings(CommonConfig& common, const PathDefaults& defaults) {
  Setting config_file{"config", '\0', "FILE"};
  config_file.help = "The config file. One that is named must exist.";
  config_file.default_text = defaults.config_file;
  config_file.form = FileForm::kNone;
  // Chosen before the sources are read; here only checked.
  config_file.set = [](std::string_view text) { return ParsePath(text).status(); };

  return {
      Named(std::move(config_file)),
      ValueSetting({"state-dir", '\0', "DIR", "Where the program keeps what must survive it.",
                    defaults.state_dir},
                   common.state_dir, ParsePath),
      ValueSetting(
          {"log-level", '\0', "LEVEL", "trace, debug, info, warning, error or off.", "info"},
          common.log_level, ParseLevel),
      SwitchSetting({"insecure", '\0', "",
                     "Run without identities and encryption. On loopback only: for development."},
                    common.insecure),
      ValueSetting({"memory-limit", '\0', "SIZE",
                    "What connections may hold in memory, such as 256MiB or 1G.",
                    FormatMemorySize(common.memory_limit), FileForm::kQuantity},
                   common.memory_limit, ParseMemorySize),
      ValueSetting({"grace", '\0', "DURATION",
                    "How long connections may go on after SIGTERM, such as 30s or 2m.",
                    FormatDuration(common.grace), FileForm::kQuantity},
                   common.grace, ParseDuration),
  };
}

absl::StatusOr<std::string> ReadProgram(const Program& program,
                                        const std::vector<std::string>& args,
                                        const Environment& environment) {
  if (args.empty()) {
    return absl::InvalidArgumentError("no command given\n" + ProgramHelp(program));
  }
  const std::string& name = args.front();
  if (name == "--version" || name == "version") return VersionText(program.name);
  if (AsksForHelp(name)) return ProgramHelp(program);
  if (name == "help") return ReadHelp(program, {args.begin() + 1, args.end()}, environment);
  if (IsGroup(program, name)) return ReadGroup(program, args, environment);
  const Command* const command = FindCommand(program, name);
  if (command == nullptr) return UnknownCommand(program, name, "");
  return ReadCommand(program, *command, {args.begin() + 1, args.end()}, environment);
}

}  // namespace culvert::config
