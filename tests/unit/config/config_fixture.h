// A machine of its own for a test: a temporary directory that stands for /etc and the home, and no
// variables.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "config/environment.h"
#include "tests/support/catch.h"

namespace culvert::config {

struct ConfigFixture {
  ConfigFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "culvert-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory = pattern;
    environment.home = directory + "/home";
    environment.etc = directory + "/etc";
    environment.user = "ann";
    environment.host = "laptop";
  }
  ~ConfigFixture() { std::filesystem::remove_all(directory); }
  ConfigFixture(const ConfigFixture&) = delete;
  ConfigFixture& operator=(const ConfigFixture&) = delete;

  // The path of a file below the directory that now holds `content`.
  std::string Write(const std::string& name, std::string_view content) const {
    const std::filesystem::path path = std::filesystem::path(directory) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }

  std::string directory;
  Environment environment;
};

// The message of an error, so that a test compares it whole.
template <class Result>
std::string MessageOf(const Result& result) {
  return std::string(result.status().message());
}

}  // namespace culvert::config
