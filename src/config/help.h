// What --help and --version print, made from the tables that the parser works by.
#pragma once

#include <string>

#include "config/program.h"

namespace culvert::config {

std::string Version();
std::string VersionText(const std::string& program);
std::string ProgramHelp(const Program& program);
// Of the commands whose names begin with `group` and a space.
std::string GroupHelp(const Program& program, const std::string& group);

// Each flag with its argument, meaning, default, environment variable and key of the config file.
std::string CommandHelp(const std::string& program, const Command& command);

}  // namespace culvert::config
