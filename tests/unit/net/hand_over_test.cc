#include "net/hand_over.h"

#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <string>

#include "base/status.h"
#include "tests/support/catch.h"
#include "tests/support/temp_directory.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

struct HandOverFixture {
  // What a program that is a shell script ends a hand-over with.
  absl::StatusOr<pid_t> Run(const std::string& script, Duration time = 10s) {
    directory.Write("program", "#!/bin/sh\n" + script + "\n");
    chmod(directory.File("program").c_str(), 0700);
    HandOver hand_over(loop, {directory.File("program"), {"program", "one"}}, time);
    std::optional<absl::StatusOr<pid_t>> result;
    const absl::Status started =
        hand_over.Start({}, [&result](absl::StatusOr<pid_t> done) { result = std::move(done); });
    if (!started.ok()) return started;
    CHECK(hand_over.is_under_way());
    REQUIRE(loop.RunUntil([&result] { return result.has_value(); }, 20s));
    CHECK_FALSE(hand_over.is_under_way());
    return *result;
  }

  EventLoop loop;
  test::TempDirectory directory;
};

TEST_CASE_METHOD(HandOverFixture, "A hand-over is done when the new process says that it is ready",
                 "[hand_over]") {
  // With the arguments of this one.
  CHECK(Run("[ \"$1\" = one ] && printf R >&\"$CULVERT_HAND_OVER\"; sleep 1").ok());
}

TEST_CASE_METHOD(HandOverFixture, "A hand-over tells how the new process ended", "[hand_over]") {
  CHECK(MessageOf(Run("exit 7").status()) == "the new process ended with 7");
  CHECK(MessageOf(Run("kill -TERM $$").status()) == "the new process was killed by signal 15");
  CHECK(MessageOf(Run("printf X >&\"$CULVERT_HAND_OVER\"; exit 1").status()) ==
        "the new process ended with 1");
}

TEST_CASE_METHOD(HandOverFixture, "A hand-over gives a silent process up when its time is over",
                 "[hand_over]") {
  CHECK(absl::IsDeadlineExceeded(Run("exec sleep 60", 50ms).status()));
}

TEST_CASE_METHOD(HandOverFixture, "A hand-over says at once that there is no program",
                 "[hand_over]") {
  HandOver hand_over(loop, {directory.File("none"), {"none"}});
  CHECK(absl::IsNotFound(hand_over.Start({}, [](absl::StatusOr<pid_t>) { FAIL("called"); })));
  CHECK_FALSE(hand_over.is_under_way());
}

TEST_CASE_METHOD(HandOverFixture, "A hand-over tells of a new process that fails later",
                 "[hand_over]") {
  const auto [last, told] = GENERATE(table<std::string, std::string>(
      {{"kill -9 $$", "was killed by signal 9"}, {"exit 3", "ended with 3"}, {"exit 0", ""}}));
  directory.Write("program", "#!/bin/sh\nprintf R >&\"$CULVERT_HAND_OVER\"\nread line <" +
                                 directory.File("go") + "\n" + last + "\n");
  chmod(directory.File("program").c_str(), 0700);
  REQUIRE(mkfifo(directory.File("go").c_str(), 0600) == 0);
  HandOver hand_over(loop, {directory.File("program"), {"program"}});
  std::string how;
  hand_over.SetOnSuccessorFailed([&how](const std::string& why) { how = why; });
  std::optional<absl::StatusOr<pid_t>> result;
  REQUIRE(hand_over.Start({}, [&result](auto done) { result = std::move(done); }).ok());
  REQUIRE(loop.RunUntil([&result] { return result.has_value(); }, 20s));
  REQUIRE(result->ok());
  CHECK(how.empty());
  std::ofstream(directory.File("go")) << "go" << std::endl;
  // It is reaped in either case.
  REQUIRE(loop.RunUntil([&] { return kill(**result, 0) != 0; }, 20s));
  CHECK(how == told);
}

TEST_CASE("Nothing is inherited where nobody hands over", "[hand_over]") {
  auto inheritance = Inheritance::Take();
  REQUIRE(inheritance.ok());
  CHECK(inheritance->TakeListening("127.0.0.1:22").empty());
  setenv("CULVERT_HAND_OVER", "1", 1);
  CHECK(absl::IsInvalidArgument(Inheritance::Take().status()));
  CHECK(getenv("CULVERT_HAND_OVER") == nullptr);
}

TEST_CASE("A process knows its own command", "[hand_over]") {
  const auto command = OwnCommand::Read();
  REQUIRE(command.ok());
  CHECK(command->path.substr(command->path.rfind('/')) == "/unit_net");
  CHECK_FALSE(command->arguments.empty());
}

}  // namespace
}  // namespace culvert::net
