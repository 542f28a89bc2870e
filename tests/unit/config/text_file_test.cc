#include "config/text_file.h"

#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Catch::Matchers::Contains;

TEST_CASE_METHOD(ConfigFixture, "A file is read whole or not at all, and errors name it",
                 "[text_file]") {
  const std::string path = Write("token", "12345678");
  REQUIRE(ReadFile(path, 8).ok());
  CHECK(*ReadFileOrStdin(path, 8) == "12345678");
  const auto long_file = ReadFile(path, 7);
  CHECK(absl::IsInvalidArgument(long_file.status()));
  CHECK_THAT(MessageOf(long_file), Contains(path + " has more than 7 bytes"));
  const auto missing = ReadFile(path + "x", 7);
  CHECK(absl::IsFailedPrecondition(missing.status()));
  CHECK_THAT(MessageOf(missing), Contains(path + "x: No such file"));
  CHECK(absl::IsFailedPrecondition(ReadFile(directory, 7).status()));
}

}  // namespace
}  // namespace culvert::config
