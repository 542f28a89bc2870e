// What the three main functions share: limits, the command line, what is printed instead of
// running.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "config/common.h"
#include "config/environment.h"

namespace culvert::config {

// The program could not do its work, after its configuration was fine.
inline constexpr int kExitFailure = 1;

// Nothing failed, but the same command has to be repeated later: EX_TEMPFAIL of sysexits.h.
inline constexpr int kExitWaits = 75;

// Prints `PROGRAM: message` on stderr, as the one line that explains a non-zero exit.
void PrintError(const std::string& program, const absl::Status& status);

// Writes `text` to standard output. An error if not all of it could be written: whoever waits for
// it must not take a part for the whole.
absl::Status PrintResult(const std::string& text);

// Sets the process up and returns its arguments without the program's name. An error if the process
// has too little to run with.
absl::StatusOr<std::vector<std::string>> StartProcess(int argc, char** argv);

// Runs `run` and turns an exception that a library let through into an error line and kExitFailure.
int CatchAll(const std::string& program, absl::FunctionRef<int()> run);

// Parses the same command line and environment again, and the config file as it is now: for a
// reload. Loop thread.
template <class Config>
using ParseAgain = std::function<absl::StatusOr<Parsed<Config>>()>;

// Parses and runs. `run` gets the config and a ParseAgain.
template <class Config, class Parse, class Run>
int Main(const std::string& program, int argc, char** argv, Parse parse, Run run) {
  return CatchAll(program, [&]() -> int {
    const absl::StatusOr<std::vector<std::string>> args = StartProcess(argc, argv);
    if (!args.ok()) {
      PrintError(program, args.status());
      return kExitFailure;
    }
    const Environment environment = CurrentEnvironment();
    const ParseAgain<Config> parse_again = [&] { return parse(*args, environment); };
    absl::StatusOr<Parsed<Config>> parsed = parse_again();
    if (!parsed.ok()) {
      PrintError(program, parsed.status());
      return kExitUsage;
    }
    if (parsed->config) return run(*parsed->config, parse_again);
    if (absl::Status printed = PrintResult(parsed->text); !printed.ok()) {
      PrintError(program, printed);
      return kExitFailure;
    }
    return 0;
  });
}

}  // namespace culvert::config
