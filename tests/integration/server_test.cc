// The gRPC server on sockets that it is given.
#include "rpc/server.h"

#include <netinet/tcp.h>

#include "net/loop_thread.h"
#include "tests/support/loopback.h"

namespace culvert::rpc {
namespace {

TEST_CASE("Server sends small messages at once on the sockets that it adopts", "[server]") {
  net::LoopThread thread;
  auto server = Server::Start(thread.loop(), Credentials::Insecure(),
                              [](const StreamInfo&, std::unique_ptr<Stream>) {});
  REQUIRE(server.ok());
  auto [client, adopted] = test::ConnectedPair();
  test::SetNonBlocking(adopted.get());
  const int fd = adopted.Release();
  (*server)->Adopt(fd);

  int on = 0;
  socklen_t size = sizeof(on);
  REQUIRE(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0);
  CHECK(on != 0);
  (*server)->Shutdown(std::chrono::seconds(0));
}

}  // namespace
}  // namespace culvert::rpc
