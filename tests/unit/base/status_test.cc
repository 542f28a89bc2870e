#include "base/status.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "base/check.h"
#include "tests/support/catch.h"

namespace culvert {
namespace {

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return absl::InvalidArgumentError("odd");
  return value / 2;
}

absl::StatusOr<int> Quarter(int value) {
  CULVERT_ASSIGN_OR_RETURN(int half, Half(value));
  CULVERT_ASSIGN_OR_RETURN(half, Half(half));
  return half;
}

absl::Status CheckHalf(int value, bool& reached) {
  CULVERT_RETURN_IF_ERROR(Half(value).status());
  reached = true;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<int>> Boxed(int value) { return std::make_unique<int>(value); }

absl::StatusOr<int> Unboxed(int value) {
  CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<int> box, Boxed(value));
  return *box;
}

TEST_CASE("CULVERT_ASSIGN_OR_RETURN hands on the value or returns the error", "[status]") {
  CHECK(*Quarter(8) == 2);
  CHECK(Quarter(7).status() == absl::InvalidArgumentError("odd"));
  CHECK(Quarter(6).status() == absl::InvalidArgumentError("odd"));
  CHECK(*Unboxed(7) == 7);
}

TEST_CASE("CULVERT_RETURN_IF_ERROR goes on after OK only", "[status]") {
  bool reached = false;
  CHECK(CheckHalf(1, reached).code() == absl::StatusCode::kInvalidArgument);
  CHECK_FALSE(reached);
  CHECK(CheckHalf(2, reached).ok());
  CHECK(reached);
}

TEST_CASE("Annotate keeps the code and puts the context in front", "[status]") {
  const absl::Status status = Annotate(absl::NotFoundError("no such file"), "read a.toml");
  CHECK(status == absl::NotFoundError("read a.toml: no such file"));
  CHECK(Annotate(absl::OkStatus(), "read a.toml").ok());
}

TEST_CASE("CULVERT_CHECK aborts when its condition does not hold", "[check]") {
  CULVERT_CHECK(true);
  CULVERT_DCHECK(true);
  const pid_t child = fork();
  if (child == 0) {
    // Catch2 catches SIGABRT and would report a second result.
    std::signal(SIGABRT, SIG_DFL);
    CULVERT_CHECK(child != 0);
    _exit(0);
  }
  int result = 0;
  REQUIRE(waitpid(child, &result, 0) == child);
  CHECK(WIFSIGNALED(result));
  CHECK(WTERMSIG(result) == SIGABRT);
}

}  // namespace
}  // namespace culvert
