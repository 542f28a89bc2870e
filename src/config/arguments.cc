#include "config/arguments.h"

#include <fmt/format.h>

#include <cxxopts.hpp>

#include "base/log.h"

namespace culvert::config {
namespace {

// cxxopts matches each argument with std::regex, which recurses once per byte.
constexpr size_t kMaxArgumentBytes = 4096;

cxxopts::Options OptionsOf(const Settings& settings) {
  cxxopts::Options options("culvert");
  for (const Setting& setting : settings) {
    if (setting.flag.empty()) continue;
    const std::string names =
        setting.letter == '\0' ? setting.flag : fmt::format("{},{}", setting.letter, setting.flag);
    const auto value = cxxopts::value<std::string>();
    if (setting.is_switch()) value->implicit_value("true");
    options.add_options()(names, "", value);
  }
  return options;
}

// cxxopts tells which option it means only inside its message, between typographic quotes.
std::string Quoted(std::string_view message) {
  const size_t open = message.find(cxxopts::LQUOTE);
  const size_t close = message.rfind(cxxopts::RQUOTE);
  if (open == std::string_view::npos || close == std::string_view::npos) return "";
  const size_t start = open + cxxopts::LQUOTE.size();
  return Printable(message.substr(start, close - start));
}

std::string OptionIn(std::string_view message) {
  const std::string name = Quoted(message);
  return (name.size() == 1 ? "-" : "--") + name;
}

}  // namespace

absl::StatusOr<Arguments> SplitArguments(const Settings& settings,
                                         const std::vector<std::string>& args) {
  std::vector<const char*> argv = {"culvert"};
  for (const std::string& argument : args) {
    if (argument.size() > kMaxArgumentBytes) {
      return absl::InvalidArgumentError(fmt::format("argument \"{}\" is longer than {} bytes",
                                                    Printable(argument), kMaxArgumentBytes));
    }
    argv.push_back(argument.c_str());
  }
  try {
    const auto result = OptionsOf(settings).parse(static_cast<int>(argv.size()), argv.data());
    Arguments arguments;
    for (const auto& given : result.arguments()) {
      arguments.flags.push_back({given.key(), given.value()});
    }
    arguments.positional = result.unmatched();
    return arguments;
  } catch (const cxxopts::exceptions::no_such_option& error) {
    return absl::InvalidArgumentError(fmt::format("unknown option {}", OptionIn(error.what())));
  } catch (const cxxopts::exceptions::invalid_option_syntax& error) {
    return absl::InvalidArgumentError(fmt::format("unknown option {}", Quoted(error.what())));
  } catch (const cxxopts::exceptions::missing_argument& error) {
    return absl::InvalidArgumentError(
        fmt::format("option {} needs a value", OptionIn(error.what())));
  } catch (const cxxopts::exceptions::exception& error) {
    return absl::InvalidArgumentError(Printable(error.what()));
  }
}

}  // namespace culvert::config
