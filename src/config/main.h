// What the three main functions share: limits, the command line, what is printed instead of
// running.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "config/common.h"
#include "config/environment.h"

namespace culvert::config {

// The program could not do its work, after its configuration was fine.
inline constexpr int kExitFailure = 1;

// Prints `PROGRAM: message` on stderr, as the one line that explains a non-zero exit.
void PrintError(const std::string& program, const absl::Status& status);

// Sets the process up and returns its arguments without the program's name.
std::vector<std::string> StartProcess(int argc, char** argv);

// Runs `run` and turns an exception that a library let through into an error line and kExitFailure.
int CatchAll(const std::string& program, absl::FunctionRef<int()> run);

// Parses and runs. `run` gets the config and a function that parses the same command line again,
// for a reload.
template <class Config, class Parse, class Run>
int Main(const std::string& program, int argc, char** argv, Parse parse, Run run) {
  return CatchAll(program, [&]() -> int {
    const std::vector<std::string> args = StartProcess(argc, argv);
    const auto parse_again = [&]() -> absl::StatusOr<Parsed<Config>> {
      return parse(args, CurrentEnvironment());
    };
    absl::StatusOr<Parsed<Config>> parsed = parse_again();
    if (!parsed.ok()) {
      PrintError(program, parsed.status());
      return kExitUsage;
    }
    if (!parsed->config) {
      std::fputs(parsed->text.c_str(), stdout);
      return 0;
    }
    return run(*parsed->config, parse_again);
  });
}

}  // namespace culvert::config
