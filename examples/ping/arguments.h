// The command lines of the two examples: `--name VALUE` and the one flag `--insecure`.
#pragma once

#include <cstdio>
#include <map>
#include <string>

// Options by name, without the dashes.
using Arguments = std::map<std::string, std::string>;

// Prints `usage` and returns nothing for a command line that is not understood.
inline Arguments ParseArguments(int argc, char** argv, const char* usage) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string name = word.compare(0, 2, "--") == 0 ? word.substr(2) : "";
    const bool flag = name == "insecure";
    if (name.empty() || (!flag && i + 1 == argc)) {
      std::fprintf(stderr, "%s\n", usage);
      return {};
    }
    arguments[name] = flag ? "yes" : argv[++i];
  }
  return arguments;
}
