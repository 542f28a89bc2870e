#include "net/unix_socket.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "base/status.h"
#include "net/listener.h"
#include "tests/support/temp_directory.h"
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

constexpr uid_t kNobody = 65534;

struct UnixFixture {
  EventLoop loop;
  test::TempDirectory directory;
  std::string path = directory.File("socket");
  RecordingDelegate seen;
  std::unique_ptr<TcpStream> stream;
  std::unique_ptr<FdListener> listener;

  void Listen() {
    auto fd = ListenOnUnixSocket(path);
    REQUIRE(fd.ok());
    auto made = FdListener::FromUnixFd(loop, fd->release(), path, [this](int peer, const Address&) {
      stream = *TcpStream::FromUnixFd(loop, peer, "peer");
      stream->SetDelegate(&seen);
      stream->SetReading(true);
    });
    REQUIRE(made.ok());
    listener = *std::move(made);
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
};

TEST_CASE_METHOD(UnixFixture, "Unix socket carries bytes and ends both ways", "[unix_socket]") {
  Listen();
  auto client = ConnectToUnixSocket(path, 5s);
  REQUIRE(client.ok());
  REQUIRE(write(client->get(), "hello", 5) == 5);
  REQUIRE(Until([&] { return seen.bytes == "hello"; }));
  CHECK(stream->PeerName() == "peer");
  stream->Write(Bytes("world"), [](absl::Status) {});
  bool finished = false;
  stream->FinishWriting([&finished](absl::Status status) { finished = status.ok(); });
  REQUIRE(Until([&] { return finished; }));
  std::string answer(16, '\0');
  CHECK(read(client->get(), answer.data(), answer.size()) == 5);
  CHECK(read(client->get(), answer.data(), answer.size()) == 0);
  client->reset();
  CHECK(Until([&] { return seen.ends == 1; }));
}

TEST_CASE_METHOD(UnixFixture, "Unix socket is for its owner and knows its peer", "[unix_socket]") {
  Listen();
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  auto client = ConnectToUnixSocket(path, 5s);
  REQUIRE(client.ok());
  CHECK(*PeerUser(client->get()) == geteuid());
  auto [one, other] = test::ConnectedPair();
  CHECK_FALSE(PeerUser(one.get()).value_or(~0U) == geteuid());
}

TEST_CASE_METHOD(UnixFixture, "Unix socket is for its owner whatever the umask", "[unix_socket]") {
  const mode_t before = umask(0);
  Listen();
  umask(before);
  CHECK(test::ModeOf(path) == 0600);
}

TEST_CASE_METHOD(UnixFixture, "Unix socket is not looked for behind a link", "[unix_socket]") {
  Listen();
  const std::string link = directory.File("link");
  REQUIRE(symlink(path.c_str(), link.c_str()) == 0);
  const absl::Status refused = ConnectToUnixSocket(link, 5s).status();
  CHECK(absl::IsFailedPrecondition(refused));
  CHECK(MessageOf(refused) == link + " is not a socket");
}

TEST_CASE_METHOD(UnixFixture, "Folder of sockets is one that only its owner writes",
                 "[unix_socket]") {
  const auto check = [this](mode_t mode) {
    REQUIRE(chmod(directory.path().c_str(), mode) == 0);
    return CheckSocketFolder(directory.path());
  };
  CHECK(check(0700).ok());
  CHECK(check(0755).ok());
  CHECK(check(01777).ok());
  CHECK(MessageOf(check(0777)) ==
        "others may write " + directory.path() + " (mode 0777): chmod go-w");
  CHECK(absl::IsFailedPrecondition(check(0720)));
  CHECK(check(0700).ok());

  const std::string link = directory.File("link");
  REQUIRE(symlink(directory.path().c_str(), link.c_str()) == 0);
  CHECK(MessageOf(CheckSocketFolder(link)) == link + " is a symbolic link");
  directory.Write("file", "");
  CHECK(MessageOf(CheckSocketFolder(directory.File("file"))) ==
        directory.File("file") + " is not a directory");
  CHECK(absl::IsNotFound(CheckSocketFolder(directory.File("nowhere"))));
  if (geteuid() != 0) return;
  REQUIRE(chown(directory.path().c_str(), kNobody, kNobody) == 0);
  CHECK(MessageOf(CheckSocketFolder(directory.path())) ==
        directory.path() + " belongs to another user, uid 65534");
}

TEST_CASE_METHOD(UnixFixture, "Unix socket's server is ours, root's or whose it is to be",
                 "[unix_socket]") {
  Listen();
  CHECK(CheckServer(ConnectToUnixSocket(path, 5s)->get(), geteuid()).ok());
  if (geteuid() != 0) return;
  listener.reset();
  REQUIRE(chmod(directory.path().c_str(), 0777) == 0);
  absl::StatusOr<UniqueFd> other;
  // The system call, unlike the library's, is about this thread alone.
  std::thread([&] {
    syscall(SYS_setresuid, kNobody, kNobody, kNobody);
    other = ListenOnUnixSocket(directory.File("other"));
  }).join();
  REQUIRE(other.ok());
  const auto client = ConnectToUnixSocket(directory.File("other"), 5s);
  REQUIRE(client.ok());
  const absl::Status refused = CheckServer(client->get(), geteuid());
  CHECK(absl::IsPermissionDenied(refused));
  CHECK(MessageOf(refused) == "uid 65534 answers there, who is neither uid 0 nor root");
  CHECK(CheckServer(client->get(), kNobody).ok());
}

TEST_CASE_METHOD(UnixFixture, "Unix socket takes the place of one that is left over",
                 "[unix_socket]") {
  Listen();
  listener.reset();
  CHECK(absl::IsNotFound(ConnectToUnixSocket(path, 5s).status()));
  Listen();
  CHECK(ConnectToUnixSocket(path, 5s).ok());
}

TEST_CASE_METHOD(UnixFixture, "Unix socket takes the place of no file", "[unix_socket]") {
  directory.Write("socket", "precious");
  CHECK_FALSE(ListenOnUnixSocket(path).ok());
  CHECK(directory.Read("socket") == "precious");
}

TEST_CASE_METHOD(UnixFixture, "Unix socket is not found where nobody has made one",
                 "[unix_socket]") {
  CHECK(absl::IsNotFound(ConnectToUnixSocket(path, 5s).status()));
}

TEST_CASE("Unix socket has a short path", "[unix_socket]") {
  const std::string path = "/" + std::string(107, 'x');
  CHECK(absl::IsInvalidArgument(ListenOnUnixSocket(path).status()));
  CHECK(absl::IsInvalidArgument(ConnectToUnixSocket(path, 5s).status()));
}

TEST_CASE_METHOD(UnixFixture, "Unix socket gives up on a peer that says nothing", "[unix_socket]") {
  Listen();
  auto client = ConnectToUnixSocket(path, 10ms);
  REQUIRE(client.ok());
  char byte = 0;
  CHECK(read(client->get(), &byte, 1) < 0);
}

}  // namespace
}  // namespace culvert::net
