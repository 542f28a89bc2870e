#include "config/main.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

// What is printed on stderr for `status`.
std::string Printed(const absl::Status& status) {
  std::fflush(stderr);
  const int before = dup(STDERR_FILENO);
  const int file = memfd_create("stderr", MFD_CLOEXEC);
  REQUIRE(before >= 0);
  REQUIRE(file >= 0);
  dup2(file, STDERR_FILENO);
  PrintError("culvert", status);
  std::fflush(stderr);
  dup2(before, STDERR_FILENO);
  close(before);
  std::array<char, 4096> text{};
  const ssize_t size = pread(file, text.data(), text.size(), 0);
  close(file);
  return {text.data(), static_cast<size_t>(size > 0 ? size : 0)};
}

TEST_CASE("PrintError prints words as they are", "[main]") {
  CHECK(Printed(absl::NotFoundError("no agent \"a\\b\"")) == "culvert: no agent \"a\\b\"\n");
  CHECK(Printed(absl::InvalidArgumentError("no command given\nusage: x\n")) ==
        "culvert: no command given\nusage: x\n\n");
}

TEST_CASE("PrintError prints nothing that a terminal obeys", "[main]") {
  CHECK(Printed(absl::NotFoundError("gone\x1b[2J\x1b]0;x\x07\r\xc2\x9b")) ==
        "culvert: gone\\x1b[2J\\x1b]0;x\\x07\\r\\xc2\\x9b\n");
}

}  // namespace
}  // namespace culvert::config
