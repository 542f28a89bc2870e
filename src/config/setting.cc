#include "config/setting.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "config/units.h"

namespace culvert::config {
namespace {

std::string WithUnderscores(std::string text) {
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

// `label "text": expected …`
absl::Status InValue(std::string_view label, std::string_view text, const absl::Status& why) {
  return Annotate(why, fmt::format("{} \"{}\"", label, Printable(text)));
}

absl::Status WrongType(const FileValue& value, std::string_view key, std::string_view expected) {
  return absl::InvalidArgumentError(
      fmt::format("{}: {}: expected {}, found {}", value.where, key, expected, value.type_name));
}

absl::Status SetFrom(const Setting& setting, const FileValue& value) {
  return InValue(fmt::format("{}: {}", value.where, setting.key), value.text,
                 setting.set(value.text));
}

absl::Status ApplyScalar(const Setting& setting, const FileValue& value) {
  using Type = FileValue::Type;
  const bool is_string = value.type == Type::kString;
  const bool is_integer = value.type == Type::kInteger;
  if (setting.form == FileForm::kString && !is_string) {
    return WrongType(value, setting.key, "a string");
  }
  if (setting.form == FileForm::kInteger && !is_integer) {
    return WrongType(value, setting.key, "an integer");
  }
  if (setting.form == FileForm::kQuantity && !is_string && !is_integer) {
    return WrongType(value, setting.key, "a string or an integer");
  }
  if (setting.is_switch() && value.type != Type::kBoolean) {
    return WrongType(value, setting.key, "true or false");
  }
  return SetFrom(setting, value);
}

absl::Status ApplyList(const Setting& setting, const FileValue& value) {
  constexpr std::string_view kExpected = "a string or an array of strings";
  setting.clear();
  if (value.type == FileValue::Type::kString) return SetFrom(setting, value);
  if (value.type != FileValue::Type::kArray) return WrongType(value, setting.key, kExpected);
  for (const FileValue& element : value.children) {
    if (element.type != FileValue::Type::kString) {
      return WrongType(element, setting.key, kExpected);
    }
    CULVERT_RETURN_IF_ERROR(SetFrom(setting, element));
  }
  return absl::OkStatus();
}

absl::Status ApplyTables(const Setting& setting, const FileValue& value) {
  const std::string expected = fmt::format("tables, each headed [[{}]]", setting.key);
  setting.clear();
  if (value.type != FileValue::Type::kArray) return WrongType(value, setting.key, expected);
  for (const FileValue& element : value.children) {
    if (element.type != FileValue::Type::kTable) return WrongType(element, setting.key, expected);
    CULVERT_RETURN_IF_ERROR(setting.set_table(element));
  }
  return absl::OkStatus();
}

absl::Status ApplyFileValue(const Setting& setting, const FileValue& value) {
  if (setting.form == FileForm::kList) return ApplyList(setting, value);
  if (setting.form == FileForm::kTables) return ApplyTables(setting, value);
  return ApplyScalar(setting, value);
}

absl::Status ApplyVariable(const Setting& setting, const std::string& text) {
  if (!setting.is_list()) return InValue(setting.variable, text, setting.set(text));
  setting.clear();
  const std::vector<std::string> items = absl::StrSplit(text, ',');
  for (std::string item : items) {
    absl::StripAsciiWhitespace(&item);
    CULVERT_RETURN_IF_ERROR(InValue(setting.variable, item, setting.set(item)));
  }
  return absl::OkStatus();
}

bool IsKeyOf(const Settings& settings, std::string_view key) {
  return std::any_of(settings.begin(), settings.end(), [key](const Setting& setting) {
    return !setting.key.empty() && setting.key == key;
  });
}

}  // namespace

std::string Setting::Label() const {
  return letter != '\0' ? fmt::format("-{}", letter) : fmt::format("--{}", flag);
}

Setting Named(Setting setting) {
  const std::string name = WithUnderscores(setting.flag);
  if (setting.variable.empty()) {
    setting.variable = "CULVERT_" + absl::AsciiStrToUpper(name);
  }
  if (setting.key.empty() && setting.form != FileForm::kNone) setting.key = name;
  return setting;
}

Setting SwitchSetting(Setting setting, bool& field) {
  setting.form = FileForm::kSwitch;
  setting.default_text = field ? "on" : "off";
  return ValueSetting(std::move(setting), field, ParseSwitch);
}

Setting OnlyInFile(Setting setting) {
  setting.flag.clear();
  setting.letter = '\0';
  setting.variable.clear();
  return setting;
}

Settings KeepFlags(Settings settings, const std::vector<std::string_view>& flags) {
  for (Setting& setting : settings) {
    if (std::find(flags.begin(), flags.end(), setting.flag) == flags.end()) {
      setting = OnlyInFile(std::move(setting));
    }
  }
  return settings;
}

absl::Status ApplyFile(const Settings& settings, const FileValue& file) {
  for (const FileValue& value : file.children) {
    if (!IsKeyOf(settings, value.key)) {
      return absl::InvalidArgumentError(
          fmt::format("{}: unknown key \"{}\"", value.where, Printable(value.key)));
    }
  }
  for (const Setting& setting : settings) {
    const FileValue* const value = setting.key.empty() ? nullptr : file.Find(setting.key);
    if (value != nullptr) CULVERT_RETURN_IF_ERROR(ApplyFileValue(setting, *value));
  }
  return absl::OkStatus();
}

absl::Status ApplyVariables(const Settings& settings, const Environment& environment) {
  for (const Setting& setting : settings) {
    const std::optional<std::string> text = environment.Get(setting.variable);
    if (text) CULVERT_RETURN_IF_ERROR(ApplyVariable(setting, *text));
  }
  return absl::OkStatus();
}

absl::Status ApplyFlags(const Settings& settings, const std::vector<FlagValue>& flags) {
  for (const Setting& setting : settings) {
    bool first = true;
    for (const FlagValue& value : flags) {
      if (setting.flag.empty() || value.flag != setting.flag) continue;
      if (std::exchange(first, false) && setting.clear) setting.clear();
      CULVERT_RETURN_IF_ERROR(InValue(setting.Label(), value.text, setting.set(value.text)));
    }
  }
  return absl::OkStatus();
}

}  // namespace culvert::config
