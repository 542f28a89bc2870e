// Bytes through a tunnel as fast as it takes them, and single bytes there and back: both ends.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr size_t kChunk = size_t{256} * 1024;
constexpr double kWarmUp = 0.3;  // seconds: windows and buffers grow; `move` may be told another

// The first byte of a connection, by which the client says what the server is to do.
constexpr char kSend = 'd';
constexpr char kTake = 'u';
constexpr char kSendAndTake = 'b';
constexpr char kEcho = 'e';

[[noreturn]] void Fail(std::string_view what) {
  std::perror(std::string(what).c_str());
  std::exit(1);
}

int NewSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) Fail("socket");
  return fd;
}

// "PORT", of loopback, or "ADDRESS:PORT".
sockaddr_in Place(std::string_view text) {
  const size_t colon = text.rfind(':');
  const std::string host(colon == text.npos ? "127.0.0.1" : text.substr(0, colon));
  const std::string port(colon == text.npos ? text : text.substr(colon + 1));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port.c_str())));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) Fail(host);
  return address;
}

void SendSoon(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Until `stop`, or the peer is gone.
void SendAll(int fd, const std::atomic<bool>& stop) {
  const std::string chunk(kChunk, 'x');
  while (!stop && send(fd, chunk.data(), chunk.size(), MSG_NOSIGNAL) > 0) continue;
}

void TakeAll(int fd, std::atomic<uint64_t>* bytes) {
  std::string chunk(kChunk, '\0');
  while (true) {
    const ssize_t got = recv(fd, chunk.data(), chunk.size(), 0);
    if (got <= 0) return;
    if (bytes != nullptr) *bytes += static_cast<uint64_t>(got);
  }
}

void Echo(int fd) {
  char byte = 0;
  while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1) continue;
}

void Answer(int fd) {
  static const std::atomic<bool> never = false;
  char what = 0;
  if (recv(fd, &what, 1, 0) == 1) {
    if (what == kEcho) Echo(fd);
    if (what == kSend) SendAll(fd, never);
    if (what == kTake) TakeAll(fd, nullptr);
    if (what == kSendAndTake) {
      std::thread sender([fd] { SendAll(fd, never); });
      TakeAll(fd, nullptr);
      shutdown(fd, SHUT_RDWR);
      sender.join();
    }
  }
  close(fd);
}

[[noreturn]] void Serve(std::string_view place) {
  const int listener = NewSocket();
  sockaddr_in address = Place(place);
  socklen_t size = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, name, size) != 0 || listen(listener, 4096) != 0) Fail("listen");
  if (getsockname(listener, name, &size) != 0) Fail("getsockname");
  fmt::print("port {}\n", ntohs(address.sin_port));
  std::fflush(stdout);
  while (true) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) Fail("accept");
    SendSoon(fd);
    std::thread(Answer, fd).detach();
  }
}

int Dial(std::string_view place, char what) {
  const int fd = NewSocket();
  const sockaddr_in address = Place(place);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    Fail("connect");
  SendSoon(fd);
  if (send(fd, &what, 1, MSG_NOSIGNAL) != 1) Fail("send");
  return fd;
}

// Bytes that the kernel still has from us: what was sent and has not arrived in the tunnel.
uint64_t Acknowledged(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) Fail("TCP_INFO");
  return info.tcpi_bytes_acked;
}

// Connections that move bytes for as long as it lives.
class Bulk {
 public:
  Bulk(std::string_view place, char what, size_t connections) {
    for (size_t i = 0; i < connections; ++i) {
      const int fd = Dial(place, what);
      fds_.push_back(fd);
      if (what != kSend) threads_.emplace_back([this, fd] { SendAll(fd, stop_); });
      if (what != kTake) threads_.emplace_back([this, fd] { TakeAll(fd, &taken_); });
    }
  }
  ~Bulk() {
    stop_ = true;
    for (const int fd : fds_) shutdown(fd, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : fds_) close(fd);
  }
  Bulk(const Bulk&) = delete;
  Bulk& operator=(const Bulk&) = delete;

  // So far, both directions.
  uint64_t bytes() const {
    uint64_t sum = taken_;
    for (const int fd : fds_) sum += Acknowledged(fd);
    return sum;
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> taken_ = 0;
  std::vector<int> fds_;
  std::vector<std::thread> threads_;
};

void Wait(double seconds) { std::this_thread::sleep_for(Seconds(seconds)); }

// `total` is what passed while the tunnel's processor time was spent, warming up included.
void Move(std::string_view place, char what, size_t connections, double seconds, double warm_up) {
  const Bulk bulk(place, what, connections);
  Wait(warm_up);
  const uint64_t first = bulk.bytes();
  const Clock::time_point began = Clock::now();
  Wait(seconds);
  const double took = Seconds(Clock::now() - began).count();
  const uint64_t last = bulk.bytes();
  fmt::print("{{\"mb_per_second\":{:.2f},\"total\":{}}}\n",
             static_cast<double>(last - first) / took / 1e6, last);
}

// One byte there and back, again and again, beside `connections` that download.
void PingPong(std::string_view place, double seconds, size_t connections) {
  const int fd = Dial(place, kEcho);
  const Bulk bulk(place, kSend, connections);
  Wait(kWarmUp);
  std::vector<double> trips;
  const Clock::time_point until =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
  for (Clock::time_point began = Clock::now(); began < until; began = Clock::now()) {
    char byte = 'x';
    if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1) Fail("echo");
    trips.push_back(std::chrono::duration<double, std::micro>(Clock::now() - began).count());
  }
  close(fd);
  std::sort(trips.begin(), trips.end());
  const auto at = [&](double share) {
    return trips[static_cast<size_t>(share * static_cast<double>(trips.size() - 1))];
  };
  fmt::print("{{\"p50_us\":{:.1f},\"p99_us\":{:.1f},\"p999_us\":{:.1f},\"trips\":{}}}\n", at(0.5),
             at(0.99), at(0.999), trips.size());
}

// Opens `count` connections that have carried a byte each and then say nothing, tells so, and keeps
// them until its input ends.
void Hold(std::string_view place, size_t count) {
  std::vector<int> fds;
  for (size_t i = 0; i < count; ++i) {
    fds.push_back(Dial(place, kEcho));
    char byte = 'x';
    if (send(fds.back(), &byte, 1, MSG_NOSIGNAL) != 1 || recv(fds.back(), &byte, 1, 0) != 1)
      Fail("echo");
  }
  fmt::print("holding {}\n", count);
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
}

int Usage(const char* program) {
  fmt::print(stderr,
             "usage: {0} serve [[ADDRESS:]PORT]\n"
             "       {0} move [ADDRESS:]PORT d|u|b CONNECTIONS SECONDS [WARM-UP-SECONDS]\n"
             "       {0} pingpong [ADDRESS:]PORT SECONDS BULK-CONNECTIONS\n"
             "       {0} hold [ADDRESS:]PORT COUNT\n",
             program);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const std::string_view place = argc > 2 ? argv[2] : "0";
  if (command == "serve" && argc <= 3) Serve(place);
  if (command == "move" && (argc == 6 || argc == 7)) {
    Move(place, argv[3][0], static_cast<size_t>(std::atoi(argv[4])), std::atof(argv[5]),
         argc == 7 ? std::atof(argv[6]) : kWarmUp);
  } else if (command == "pingpong" && argc == 5) {
    PingPong(place, std::atof(argv[3]), static_cast<size_t>(std::atoi(argv[4])));
  } else if (command == "hold" && argc == 4) {
    Hold(place, static_cast<size_t>(std::atoi(argv[3])));
  } else {
    return Usage(argv[0]);
  }
  return 0;
}
