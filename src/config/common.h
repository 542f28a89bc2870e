// What all three programs are told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"

namespace culvert::config {

struct CommonConfig {
  std::string state_dir;    // never empty; not created here
  std::string runtime_dir;  // $XDG_RUNTIME_DIR; empty if there is none
  std::string config_file;  // the one that was read; empty if none
  LogLevel log_level = LogLevel::kInfo;
  bool insecure = false;
  uint64_t memory_limit = uint64_t{256} << 20;
  Duration grace = std::chrono::seconds(30);
};

// What a command line asks for: to run with `config`, or only to print `text` on stdout and exit 0
// (help, version, --check-config).
//
// A parser returns an error where it asks for neither. Its message is for stderr, after the
// program's name and ": ", and the exit code is kExitUsage.
template <class Config>
struct Parsed {
  std::optional<Config> config;
  std::string text;
};

// A command line, environment or config file that cannot be used.
inline constexpr int kExitUsage = 2;

}  // namespace culvert::config
