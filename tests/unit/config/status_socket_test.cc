#include "config/status_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <thread>

#include "base/log.h"
#include "net/loop_thread.h"
#include "net/unix_socket.h"
#include "tests/support/catch.h"
#include "tests/support/temp_directory.h"

namespace culvert::config {
namespace {

// A process that serves its status in a state directory, on a loop of its own.
struct StatusFixture {
  StatusFixture() {
    SetLogLevel(LogLevel::kOff);
    common.state_dir = directory.path();
    REQUIRE(mkdir(folder.c_str(), 0700) == 0);
  }
  ~StatusFixture() {
    Stop();
    SetLogLevel(LogLevel::kInfo);
  }
  bool Serve() {
    thread.Run([this] {
      server = ServeStatus(thread.loop(), common, "culvert", [] { return ProcessStatus(); });
    });
    return server != nullptr;
  }
  void Stop() {
    thread.Run([this] { server.reset(); });
  }
  void SetMode(mode_t mode) const { REQUIRE(chmod(folder.c_str(), mode) == 0); }
  size_t Answers() const { return AskForStatus({folder}).size(); }

  test::TempDirectory directory;
  const std::string folder = directory.File("status");
  CommonConfig common;
  net::LoopThread thread;
  std::unique_ptr<net::LineServer> server;
};

TEST_CASE_METHOD(StatusFixture, "Status is served and asked for in a folder of the user's own",
                 "[status_socket]") {
  SetMode(GENERATE(0700U, 0755U, 01777U));
  REQUIRE(Serve());
  CHECK(Answers() == 1);
}

TEST_CASE_METHOD(StatusFixture, "Status is not served where others could take its place",
                 "[status_socket]") {
  SECTION("in a folder that they may write") { SetMode(0777); }
  SECTION("behind a link") {
    std::filesystem::rename(folder, directory.File("elsewhere"));
    REQUIRE(symlink(directory.File("elsewhere").c_str(), folder.c_str()) == 0);
  }
  CHECK_FALSE(Serve());
}

TEST_CASE_METHOD(StatusFixture, "Status is served in the second place if the first is not safe",
                 "[status_socket]") {
  SetMode(0777);
  common.runtime_dir = directory.File("runtime");
  REQUIRE(mkdir(common.runtime_dir.c_str(), 0700) == 0);
  REQUIRE(Serve());
  CHECK(AskForStatus(StatusFolders(common, "culvert")).size() == 1);
}

TEST_CASE_METHOD(StatusFixture, "Status asks nobody where others may have put a socket",
                 "[status_socket]") {
  REQUIRE(Serve());
  SetMode(0777);
  CHECK(Answers() == 0);
  SetMode(0700);
  CHECK(Answers() == 1);
}

TEST_CASE_METHOD(StatusFixture, "Status follows no link to a socket", "[status_socket]") {
  REQUIRE(Serve());
  const std::string own = folder + "/" + std::to_string(getpid()) + ".sock";
  REQUIRE(symlink(own.c_str(), (folder + "/1.sock").c_str()) == 0);
  CHECK(Answers() == 1);
}

TEST_CASE_METHOD(StatusFixture, "Status believes no process of another user", "[status_socket]") {
  if (geteuid() != 0) return;
  SetMode(01777);
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  std::promise<bool> listening;
  std::string asked = "nothing";
  std::thread other([&] {
    // The system call, unlike the library's, is about this thread alone.
    syscall(SYS_setresuid, 65534, 65534, 65534);
    const auto socket = net::ListenOnUnixSocket(folder + "/4242.sock");
    listening.set_value(socket.ok());
    if (!socket.ok()) return;
    pollfd ready{socket->get(), POLLIN, 0};
    poll(&ready, 1, 10'000);
    const net::UniqueFd peer(accept(socket->get(), nullptr, nullptr));
    char line[16];
    const ssize_t got = read(peer.get(), line, sizeof(line));
    asked = std::string(line, static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got > 0) static_cast<void>(write(peer.get(), "{}\n", 3) == 3);
  });
  REQUIRE(listening.get_future().get());
  CHECK(Answers() == 0);
  other.join();
  CHECK(asked.empty());
}

}  // namespace
}  // namespace culvert::config
