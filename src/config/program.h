// The part of reading a configuration that the programs share: commands, help, and the order of the
// sources (flags over environment over config file over defaults). Used inside src/config only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/common.h"
#include "config/environment.h"
#include "config/setting.h"

namespace culvert::config {

// One command of a program. Its functions refer to the config that is being filled.
struct Command {
  std::string name;         // "serve", or of a group of commands "token create"
  std::string synopsis;     // "[options] agent:[host:]port"
  std::string summary;      // one line, for the list of commands
  std::string description;  // for its own help, lines of at most 80 bytes
  Settings settings;
  // Takes the arguments that are no flags; none are allowed if empty.
  std::function<absl::Status(const std::vector<std::string>&)> set_positional = {};
  // Checks what only the whole tells, after all sources were read.
  std::function<absl::Status()> finish = {};
};

struct Program {
  std::string name;
  std::string summary;
  std::vector<Command> commands;
  CommonConfig* common = nullptr;
  std::vector<std::string> default_config_files;
  // What --check-config checks beyond what it takes to parse.
  std::function<absl::Status()> check = {};
};

// Defaults that depend on who runs the program, as --help tells them.
struct PathDefaults {
  std::string config_file;
  std::string state_dir;
};

// The settings of CommonConfig.
Settings CommonSettings(CommonConfig& common, const PathDefaults& defaults);

// Reads a command line (without the program's name) into the config that `program` refers to. An
// empty result means: run with it. Anything else is to be printed instead.
absl::StatusOr<std::string> ReadProgram(const Program& program,
                                        const std::vector<std::string>& args,
                                        const Environment& environment);

// ReadProgram, then `config` if that is what the program refers to and it is to be run.
template <class Config>
absl::StatusOr<Parsed<Config>> ReadInto(const Program& program, Config& config,
                                        const std::vector<std::string>& args,
                                        const Environment& environment) {
  CULVERT_ASSIGN_OR_RETURN(std::string text, ReadProgram(program, args, environment));
  if (!text.empty()) return Parsed<Config>{std::nullopt, std::move(text)};
  return Parsed<Config>{std::move(config), ""};
}

}  // namespace culvert::config
