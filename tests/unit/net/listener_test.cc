#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "net/limits.h"
#include "tests/support/catch.h"
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

using test::ConnectToLoopback;
using test::Fd;
using test::ReadNow;

int OptionOf(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  REQUIRE(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

Address Loopback(uint16_t port = 0) { return *Address::FromLiteral("127.0.0.1", port); }

struct FdListenerFixture {
  EventLoop loop;
  std::vector<Fd> accepted;
  std::unique_ptr<FdListener> listener;

  FdListenerFixture() {
    auto bound = FdListener::Bind(loop, Loopback(),
                                  [this](int fd, const Address&) { accepted.emplace_back(fd); });
    REQUIRE(bound.ok());
    listener = *std::move(bound);
  }
  uint16_t port() const { return listener->address().port(); }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
};

// Lowers RLIMIT_NOFILE for a test. Warnings about refused connections are expected then.
class LowLimit {
 public:
  explicit LowLimit(rlim_t descriptors) {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    SetLogLevel(LogLevel::kOff);
    rlimit low = before_;
    low.rlim_cur = descriptors;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  }
  ~LowLimit() { Lift(); }
  void Lift() {
    setrlimit(RLIMIT_NOFILE, &before_);
    SetLogLevel(LogLevel::kInfo);
  }

 private:
  rlimit before_{};
};

// Takes all descriptors below `end`.
std::vector<Fd> TakeDescriptorsBelow(int end) {
  std::vector<Fd> taken;
  while (true) {
    Fd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0 || fd.get() >= end) return taken;
    taken.push_back(std::move(fd));
  }
}

TEST_CASE("Listener hands out a stream for each connection", "[listener]") {
  EventLoop loop;
  std::vector<std::unique_ptr<TcpStream>> streams;
  const auto listener =
      Listener::Bind(loop, Loopback(), [&](auto stream) { streams.push_back(std::move(stream)); });
  REQUIRE(listener.ok());
  const Fd client = ConnectToLoopback((*listener)->address().port());
  CHECK(loop.RunUntil([&] { return streams.size() == 1; }, 5s));
  CHECK(streams[0]->PeerName() == "127.0.0.1:" + std::to_string(test::PortOf(client.get())));
}

TEST_CASE("Listener's connections have the options of a TcpStream from the listening socket",
          "[listener]") {
  EventLoop loop;
  const auto listener = Listener::Bind(loop, Loopback(), [](const std::unique_ptr<TcpStream>&) {});
  REQUIRE(listener.ok());
  const Fd client = ConnectToLoopback((*listener)->address().port());
  const Fd accepted(accept((*listener)->fd(), nullptr, nullptr));
  REQUIRE(accepted.get() >= 0);
  CHECK(OptionOf(accepted.get(), IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(OptionOf(accepted.get(), SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(OptionOf(accepted.get(), IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  CHECK(OptionOf(accepted.get(), IPPROTO_TCP, TCP_KEEPINTVL) == 10);
  CHECK(OptionOf(accepted.get(), IPPROTO_TCP, TCP_KEEPCNT) == 6);
  CHECK(OptionOf(accepted.get(), SOL_SOCKET, SO_OOBINLINE) == 1);
}

TEST_CASE("Listener listens on IPv6 alone when asked for IPv6", "[listener]") {
  EventLoop loop;
  const auto any_v6 = Address::FromLiteral("::1", 0);
  const auto listener = Listener::Bind(loop, *any_v6, [](auto) {});
  REQUIRE(listener.ok());
  CHECK((*listener)->address().ip() == "::1");
  CHECK(ConnectToLoopback((*listener)->address().port()).get() < 0);
}

TEST_CASE("Listener may be destroyed in its callback", "[listener]") {
  EventLoop loop;
  std::unique_ptr<Listener> listener;
  int accepted = 0;
  auto bound = Listener::Bind(loop, Loopback(), [&](auto) {
    ++accepted;
    listener.reset();
  });
  REQUIRE(bound.ok());
  listener = *std::move(bound);
  const uint16_t port = listener->address().port();
  const Fd one = ConnectToLoopback(port);
  const Fd two = ConnectToLoopback(port);
  CHECK(loop.RunUntil([&] { return listener == nullptr; }, 5s));
  CHECK_FALSE(loop.RunUntil([&] { return accepted > 1; }, 20ms));
}

TEST_CASE_METHOD(FdListenerFixture,
                 "FdListener hands out non-blocking descriptors that exec closes", "[listener]") {
  const Fd client = ConnectToLoopback(port());
  REQUIRE(Until([&] { return accepted.size() == 1; }));
  CHECK((fcntl(accepted[0].get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((fcntl(accepted[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE_METHOD(FdListenerFixture, "FdListener accepts at most 64 connections a turn",
                 "[listener]") {
  std::vector<Fd> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(ConnectToLoopback(port()));
    REQUIRE(clients.back().get() >= 0);
  }
  size_t before = 0;
  size_t most = 0;
  CHECK(Until([&] {
    most = std::max(most, accepted.size() - before);
    before = accepted.size();
    return before == 100;
  }));
  CHECK(most == 64);
}

TEST_CASE_METHOD(FdListenerFixture, "FdListener stops listening when it is destroyed",
                 "[listener]") {
  const uint16_t old_port = port();
  const Fd waiting = ConnectToLoopback(old_port);
  listener.reset();
  CHECK_FALSE(loop.RunUntil([&] { return !accepted.empty(); }, 20ms));
  CHECK(ConnectToLoopback(old_port).get() < 0);
  CHECK(errno == ECONNREFUSED);
}

TEST_CASE_METHOD(FdListenerFixture, "FdListener names the address that it cannot listen on",
                 "[listener]") {
  const auto second = FdListener::Bind(loop, listener->address(), [](int, const Address&) {});
  CHECK(second.status().message() ==
        "listen on " + listener->address().ToString() + ": address already in use");
}

TEST_CASE("FdListener adopts a listening socket", "[listener]") {
  EventLoop loop;
  Fd socket = test::ListenOnLoopback();
  const uint16_t port = test::PortOf(socket.get());
  std::vector<Fd> accepted;
  const auto listener = FdListener::FromFd(
      loop, socket.Release(), [&](int fd, const Address&) { accepted.emplace_back(fd); });
  REQUIRE(listener.ok());
  CHECK((*listener)->address() == Loopback(port));
  const Fd client = ConnectToLoopback(port);
  CHECK(loop.RunUntil([&] { return accepted.size() == 1; }, 5s));
}

TEST_CASE("FdListener refuses a socket that does not listen and closes it", "[listener]") {
  EventLoop loop;
  auto [one, other] = test::ConnectedPair();
  const int fd = one.Release();
  const auto listener = FdListener::FromFd(loop, fd, [](int, const Address&) {});
  CHECK(absl::IsInvalidArgument(listener.status()));
  CHECK(fcntl(fd, F_GETFD) == -1);
}

TEST_CASE_METHOD(FdListenerFixture, "FdListener resets connections at 90 % of the descriptors",
                 "[listener]") {
  const Fd client = ConnectToLoopback(port());
  {
    const LowLimit limit(200);
    const auto taken = TakeDescriptorsBelow(DescriptorRefusalThreshold());
    CHECK(Until([&] { return ReadNow(client.get()).error == ECONNRESET; }));
    CHECK(accepted.empty());
  }
  const Fd next = ConnectToLoopback(port());
  CHECK(Until([&] { return accepted.size() == 1; }));
}

TEST_CASE_METHOD(FdListenerFixture,
                 "FdListener resets connections when there is no descriptor left", "[listener]") {
  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(ConnectToLoopback(port()));
  {
    const LowLimit limit(200);
    const auto taken = TakeDescriptorsBelow(200);
    for (const Fd& client : clients) {
      CHECK(Until([&] { return ReadNow(client.get()).error == ECONNRESET; }));
    }
    CHECK(accepted.empty());
    int turns = 0;
    CHECK_FALSE(loop.RunUntil([&] { return ++turns < 0; }, 30ms));
    CHECK(turns < kManyTurns);
  }
  const Fd next = ConnectToLoopback(port());
  CHECK(Until([&] { return accepted.size() == 1; }));
}

TEST_CASE_METHOD(FdListenerFixture,
                 "FdListener sleeps when not even a refusal works, and comes back", "[listener]") {
  const Fd client = ConnectToLoopback(port());
  {
    // Below what is open already: not even the descriptor held in reserve can be had again.
    const LowLimit limit(3);
    int turns = 0;
    CHECK_FALSE(loop.RunUntil([&] { return ++turns < 0; }, 150ms));
    CHECK(turns < 3 * kManyTurns);
    CHECK(accepted.empty());
  }
  const Fd next = ConnectToLoopback(port());
  CHECK(Until([&] { return !accepted.empty(); }));
}

}  // namespace
}  // namespace culvert::net
