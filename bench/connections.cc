// New TCP connections, timed until each has carried a byte there and back; and what answers them.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPatienceMs = 30'000;

[[noreturn]] void Fail(std::string_view what) {
  std::perror(std::string(what).c_str());
  std::exit(1);
}

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int NewSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("socket");
  return fd;
}

void SendSoon(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Answers every byte, until it is killed.
[[noreturn]] void Serve() {
  const int listener = NewSocket();
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, name, size) != 0 || listen(listener, 4096) != 0) Fail("listen");
  if (getsockname(listener, name, &size) != 0) Fail("getsockname");
  fmt::print("port {}\n", ntohs(address.sin_port));
  std::fflush(stdout);

  std::vector<pollfd> polled{{listener, POLLIN, 0}};
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0) Fail("poll");
    for (size_t i = polled.size() - 1; i > 0; --i) {  // backwards: what ended is taken out
      if (polled[i].revents == 0) continue;
      char byte = 0;
      if (recv(polled[i].fd, &byte, 1, 0) == 1 && send(polled[i].fd, &byte, 1, MSG_NOSIGNAL) == 1)
        continue;
      close(polled[i].fd);
      polled[i] = polled.back();
      polled.pop_back();
    }
    if (polled[0].revents == 0) continue;
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) Fail("accept");
    SendSoon(fd);
    polled.push_back({fd, POLLIN, 0});
  }
}

struct Connection {
  int fd;
  Clock::time_point began;
};

Connection Dial(int port) {
  const Clock::time_point began = Clock::now();
  const int fd = NewSocket();
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    Fail("connect");
  SendSoon(fd);
  if (send(fd, "x", 1, MSG_NOSIGNAL) != 1) Fail("send");
  return {fd, began};
}

void Print(std::vector<double> setups, double seconds) {
  std::sort(setups.begin(), setups.end());
  const auto at = [&](size_t percent) { return setups[(setups.size() - 1) * percent / 100]; };
  fmt::print("{{\"per_second\":{:.1f},\"p50_us\":{:.1f},\"p99_us\":{:.1f}}}\n",
             static_cast<double>(setups.size()) / seconds, at(50), at(99));
}

// Opens `count` connections, `at_once` of them at any time.
void DialMany(int port, size_t count, size_t at_once) {
  std::vector<Connection> open;
  std::vector<pollfd> polled;
  std::vector<double> setups;
  const Clock::time_point began = Clock::now();
  size_t dialled = 0;
  while (setups.size() < count) {
    for (; open.size() < at_once && dialled < count; ++dialled) {
      open.push_back(Dial(port));
      polled.push_back({open.back().fd, POLLIN, 0});
    }
    if (poll(polled.data(), polled.size(), kPatienceMs) <= 0) Fail("poll");
    for (size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      char byte = 0;
      if (recv(open[i].fd, &byte, 1, 0) != 1) Fail("recv");
      setups.push_back(
          std::chrono::duration<double, std::micro>(Clock::now() - open[i].began).count());
      close(open[i].fd);
      open[i] = open.back();
      open.pop_back();
      polled[i] = polled.back();
      polled.pop_back();
    }
  }
  Print(std::move(setups), std::chrono::duration<double>(Clock::now() - began).count());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "serve") Serve();
  if (argc == 5 && std::string_view(argv[1]) == "dial") {
    const int port = std::atoi(argv[2]);
    const int count = std::atoi(argv[3]);
    const int at_once = std::atoi(argv[4]);
    if (port > 0 && count > 0 && at_once > 0) {
      DialMany(port, static_cast<size_t>(count), static_cast<size_t>(at_once));
      return 0;
    }
  }
  fmt::print(stderr, "usage: {0} serve\n       {0} dial PORT COUNT AT-ONCE\n", argv[0]);
  return 2;
}
