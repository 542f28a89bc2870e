#include "config/text_file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "base/log.h"

namespace culvert::config {
namespace {

absl::Status FileError(const std::string& name) {
  return absl::FailedPreconditionError(
      fmt::format("read {}: {}", Printable(name), std::generic_category().message(errno)));
}

absl::StatusOr<std::string> ReadStream(std::FILE* file, const std::string& name, size_t most) {
  std::string text;
  std::array<char, 16384> buffer{};
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), file)) {
    text.append(buffer.data(), got);
    if (text.size() <= most) continue;
    return absl::InvalidArgumentError(
        fmt::format("{} has more than {} bytes", Printable(name), most));
  }
  if (std::ferror(file) != 0) return FileError(name);
  return text;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& name, size_t most) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) return FileError(name);
  return ReadStream(file.get(), name, most);
}

absl::StatusOr<std::string> ReadFileOrStdin(const std::string& name, size_t most) {
  if (name == "-") return ReadStream(stdin, "standard input", most);
  return ReadFile(name, most);
}

}  // namespace culvert::config
