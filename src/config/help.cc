#include "config/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace culvert::config {
namespace {

constexpr const char* kIndent = "      ";

std::string FlagLine(const Setting& setting) {
  std::string line = setting.letter == '\0' ? "  " : fmt::format("  -{}, ", setting.letter);
  line += "--" + setting.flag;
  if (!setting.argument.empty()) line += " " + setting.argument;
  if (setting.is_list()) line += " ...";
  return line;
}

std::string FileKey(const Setting& setting) {
  return setting.form == FileForm::kTables ? fmt::format("[[{}]]", setting.key) : setting.key;
}

// "default: info; environment: CULVERT_LOG_LEVEL; file: log_level"
std::string Sources(const Setting& setting) {
  std::string text;
  const auto add = [&text](const char* label, const std::string& value) {
    if (value.empty()) return;
    if (!text.empty()) text += "; ";
    text += fmt::format("{}: {}", label, value);
  };
  add("default", setting.default_text);
  add("environment", setting.variable);
  add("file", FileKey(setting));
  return text;
}

std::string SettingHelp(const Setting& setting) {
  std::string text = fmt::format("{}\n{}{}\n", FlagLine(setting), kIndent, setting.help);
  const std::string sources = Sources(setting);
  if (!sources.empty()) text += fmt::format("{}({})\n", kIndent, sources);
  return text;
}

using Line = std::pair<std::string, std::string>;  // a command and its summary

std::string Table(const std::vector<Line>& lines) {
  constexpr size_t kGap = 2;
  size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.first.size() + kGap);
  std::string text;
  for (const auto& [name, summary] : lines) {
    text += fmt::format("  {:<{}}{}\n", name, width, summary);
  }
  return text;
}

}  // namespace

std::string Version() { return CULVERT_VERSION; }

std::string VersionText(const std::string& program) {
  return fmt::format("{} {}\n", program, CULVERT_VERSION);
}

std::string ProgramHelp(const Program& program) {
  std::vector<Line> lines;
  for (const Command& command : program.commands) lines.emplace_back(command.name, command.summary);
  lines.emplace_back("help", "Print this, or the help of a command.");
  lines.emplace_back("version", "Print the version.");
  return fmt::format(
      "usage: {0} COMMAND [options]\n\n{1}\n\ncommands:\n{2}\n"
      "See '{0} COMMAND --help' for the options of a command.\n",
      program.name, program.summary, Table(lines));
}

std::string GroupHelp(const Program& program, const std::string& group) {
  std::vector<Line> lines;
  for (const Command& command : program.commands) {
    if (command.name.compare(0, group.size() + 1, group + " ") != 0) continue;
    lines.emplace_back(command.name, command.summary);
  }
  return fmt::format(
      "usage: {0} {1} COMMAND [options]\n\ncommands:\n{2}\n"
      "See '{0} {1} COMMAND --help' for the options of a command.\n",
      program.name, group, Table(lines));
}

std::string CommandHelp(const std::string& program, const Command& command) {
  std::string text = fmt::format("usage: {} {} {}\n\n{}\n\noptions:\n", program, command.name,
                                 command.synopsis, command.description);
  for (const Setting& setting : command.settings) {
    if (!setting.flag.empty()) text += SettingHelp(setting);
  }
  text +=
      "\nFlags count more than the environment, which counts more than the config file.\n"
      "A repeatable option replaces the whole list of a source that counts less; in the\n"
      "environment its values are separated by commas. Of any other option\n"
      "that is given twice the last one counts.\n";
  return text;
}

}  // namespace culvert::config
