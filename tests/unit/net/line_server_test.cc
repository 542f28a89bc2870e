#include "net/line_server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <vector>

#include "net/loop_thread.h"
#include "net/unix_socket.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_directory.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

// A server on a loop of its own; the test thread is the blocking client.
struct LineServerFixture {
  ~LineServerFixture() {
    thread.Run([this] { server.reset(); });
  }
  void Listen(LineServer::Options options = {}) {
    options.owner = geteuid();
    options.too_long = "too long";
    options.answer = [](const std::string& line, uid_t) { return line + "!"; };
    options.on_refused = [this](const absl::Status&) { ++refused; };
    thread.Run([&] { server = *LineServer::Listen(thread.loop(), path, options); });
  }
  size_t Connections() {
    size_t count = 0;
    thread.Run([&] { count = server->connections(); });
    return count;
  }
  UniqueFd Connect() const { return *ConnectToUnixSocket(path, 20s); }

  test::TempDirectory directory;
  const std::string path = directory.File("socket");
  std::atomic<int> refused = 0;
  LoopThread thread;
  std::unique_ptr<LineServer> server;
};

TEST_CASE_METHOD(LineServerFixture, "Line server answers a line with a line and closes",
                 "[line_server]") {
  Listen();
  CHECK(test::ModeOf(path) == 0600);
  CHECK(*AskLine(Connect().get(), "hello", 100) == "hello!\n");
  CHECK(*AskLine(Connect().get(), std::string(100'000, 'x'), 100) == "too long\n");
  CHECK(test::Eventually([this] { return Connections() == 0; }));
}

TEST_CASE_METHOD(LineServerFixture,
                 "Line server has few connections at once, each for a short time",
                 "[line_server]") {
  LineServer::Options options;
  options.time = 300ms;
  Listen(options);
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 16; ++i) silent.push_back(Connect());
  CHECK(test::Eventually([this] { return Connections() == 16; }));
  char byte = 0;
  CHECK(read(Connect().get(), &byte, 1) == 0);
  CHECK(refused == 1);
  CHECK(test::Eventually([this] { return Connections() == 0; }));
  CHECK(*AskLine(Connect().get(), "again", 100) == "again!\n");
}

TEST_CASE_METHOD(LineServerFixture, "Line server leaves the socket that took its place alone",
                 "[line_server]") {
  Listen();
  const auto other = ListenOnUnixSocket(path);
  REQUIRE(other.ok());
  thread.Run([this] { server.reset(); });
  CHECK(std::filesystem::exists(path));
}

TEST_CASE_METHOD(LineServerFixture, "A socket that nobody listens on is told from others",
                 "[line_server]") {
  const auto age = [this] {
    const timespec long_ago[2] = {{1, 0}, {1, 0}};
    REQUIRE(utimensat(AT_FDCWD, path.c_str(), long_ago, AT_SYMLINK_NOFOLLOW) == 0);
  };
  CHECK_FALSE(IsAbandonedSocket(path));
  {
    const auto socket = ListenOnUnixSocket(path);
    REQUIRE(socket.ok());
    age();
    CHECK_FALSE(IsAbandonedSocket(path));
  }
  CHECK(IsAbandonedSocket(path));
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now());
  CHECK_FALSE(IsAbandonedSocket(path));  // somebody may be about to listen
  std::filesystem::remove(path);
  directory.Write("socket", "");
  age();
  CHECK_FALSE(IsAbandonedSocket(path));
}

}  // namespace
}  // namespace culvert::net
