#include "net/unix_socket.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "net/listener.h"
#include "tests/support/temp_directory.h"
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

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
