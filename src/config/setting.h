// One row of the table from which a command's flags, its environment variables, the keys of its
// config file and its --help are made. Used inside src/config only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "config/config_file.h"
#include "config/environment.h"

namespace culvert::config {

// What the config file may hold for a setting. Flags and variables are always text.
enum class FileForm {
  kNone,      // not settable in the file
  kString,    // a string
  kInteger,   // an integer
  kQuantity,  // a string with a unit, or an integer
  kSwitch,    // a boolean; the flag takes no argument
  kList,      // a string or an array of strings; the flag is repeatable, the variable has commas
  kTables,    // [[key]]; as a flag, like kList
};

struct Setting {
  std::string flag;  // without dashes; empty: only in the file
  char letter = '\0';
  std::string argument = {};  // "ADDR:PORT"; empty for a switch
  std::string help = {};
  std::string default_text = {};
  FileForm form = FileForm::kString;
  std::string variable = {};  // "CULVERT_LISTEN"
  std::string key = {};       // "listen"

  // Takes one value over what was there, or adds it to a list. The message says what was expected.
  std::function<absl::Status(std::string_view)> set = {};
  // Empties a list before a source adds to it, so that a higher source replaces a lower one.
  std::function<void()> clear = {};
  // Takes one table of kTables. The message says where and what.
  std::function<absl::Status(const FileValue&)> set_table = {};

  bool is_switch() const { return form == FileForm::kSwitch; }
  bool is_list() const { return form == FileForm::kList || form == FileForm::kTables; }
  // "-L" or "--listen".
  std::string Label() const;
};

using Settings = std::vector<Setting>;

// `setting` with the variable and the key that belong to its flag: CULVERT_DIAL_TIMEOUT and
// dial_timeout to "dial-timeout".
Setting Named(Setting setting);

// A setting that `parse` reads into `field`, which outlives it.
template <class Value>
Setting ValueSetting(Setting setting, Value& field,
                     absl::StatusOr<Value> (*parse)(std::string_view)) {
  setting.set = [&field, parse](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(field, parse(text));
    return absl::OkStatus();
  };
  return Named(std::move(setting));
}

// A flag without argument.
Setting SwitchSetting(Setting setting, bool& field);

// A repeatable setting.
template <class Value>
Setting ListSetting(Setting setting, std::vector<Value>& field,
                    absl::StatusOr<Value> (*parse)(std::string_view)) {
  setting.form = FileForm::kList;
  setting.clear = [&field] { field.clear(); };
  setting.set = [&field, parse](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(Value value, parse(text));
    field.push_back(std::move(value));
    return absl::OkStatus();
  };
  return Named(std::move(setting));
}

// For a program that knows a setting of the file which one of its commands has no flag for.
Setting OnlyInFile(Setting setting);
// `settings` where only those of `flags` have flags and variables.
Settings KeepFlags(Settings settings, const std::vector<std::string_view>& flags);

// The three sources, lowest first. Each overwrites what the one before has set, and each is checked
// whole: a mistake in the file is told even if a flag overrides it.
absl::Status ApplyFile(const Settings& settings, const FileValue& file);
absl::Status ApplyVariables(const Settings& settings, const Environment& environment);
struct FlagValue {
  std::string flag;
  std::string text;
};
absl::Status ApplyFlags(const Settings& settings, const std::vector<FlagValue>& flags);

}  // namespace culvert::config
