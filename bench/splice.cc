// What the broker's splice loop costs: speed and processor time of one pair on loopback, round
// trips idle and beside bulk, memory of idle pairs. See README.md.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/limits.h"
#include "net/loop_thread.h"
#include "net/splicer.h"

namespace {

using culvert::net::LoopThread;
using culvert::net::Splicer;
using culvert::net::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr double kMiB = 1 << 20;
constexpr double kGiB = 1 << 30;
constexpr int kBulkPairs = 8;

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

std::pair<UniqueFd, UniqueFd> Connected() {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.get(), any, size) != 0 || listen(listener.get(), 1) != 0) Fail("listen");
  getsockname(listener.get(), any, &size);
  UniqueFd one(socket(AF_INET, SOCK_STREAM, 0));
  if (connect(one.get(), any, size) != 0) Fail("connect");
  UniqueFd other(accept(listener.get(), nullptr, nullptr));
  const int on = 1;
  setsockopt(one.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(other.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return {std::move(one), std::move(other)};
}

// Processor time of all splice loops until now, in seconds.
double SpliceCpu() {
  double seconds = 0;
  DIR* const tasks = opendir("/proc/self/task");
  while (const dirent* entry = readdir(tasks)) {
    const std::string folder = std::string("/proc/self/task/") + entry->d_name;
    std::string name;
    std::ifstream(folder + "/comm") >> name;
    double nanoseconds = 0;
    if (name == "culvert-splice") std::ifstream(folder + "/schedstat") >> nanoseconds;
    seconds += nanoseconds / 1e9;
  }
  closedir(tasks);
  return seconds;
}

double ResidentKiB() {
  double pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024;
}

struct Link {
  UniqueFd left;
  UniqueFd right;
};

Link ConnectDirectly() {
  auto [left, right] = Connected();
  return {std::move(left), std::move(right)};
}

class Bench {
 public:
  explicit Bench(Splicer::Options options) {
    thread_.Run([&] {
      auto started = Splicer::Start(thread_.loop(), options, [](const auto&) {});
      if (!started.ok()) Fail("splicer");
      splicer_ = *std::move(started);
    });
  }
  ~Bench() {
    thread_.Run([this] { splicer_.reset(); });
  }

  Link Join() {
    auto [left, left_near] = Connected();
    auto [right, right_near] = Connected();
    fcntl(left_near.get(), F_SETFL, O_NONBLOCK);
    fcntl(right_near.get(), F_SETFL, O_NONBLOCK);
    thread_.Run([&, one = &left_near, other = &right_near] {
      splicer_->Join(std::move(*one), std::move(*other));
    });
    return {std::move(left), std::move(right)};
  }

 private:
  LoopThread thread_;
  std::unique_ptr<Splicer> splicer_;
};

// Until `stop` or `bytes`.
void SendBulk(int fd, double bytes, const std::atomic<bool>& stop) {
  const std::vector<char> buffer(256 << 10, 'x');
  while (bytes > 0 && !stop) {
    const ssize_t sent = send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes -= static_cast<double>(sent);
  }
  shutdown(fd, SHUT_WR);
}

double ReceiveBulk(int fd) {
  std::vector<char> buffer(256 << 10);
  double bytes = 0;
  while (true) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return bytes;
    bytes += static_cast<double>(got);
  }
}

// MiB/s from `from` to `to`.
double Bulk(int from, int to, double bytes) {
  const std::atomic<bool> stop = false;
  const auto start = Clock::now();
  std::thread sender([&] { SendBulk(from, bytes, stop); });
  const double got = ReceiveBulk(to);
  sender.join();
  if (got < bytes) Fail("bytes are missing");
  return got / kMiB / Seconds(Clock::now() - start);
}

struct RoundTrips {
  double p50;
  double p99;
};

RoundTrips Ping(const Link& link, size_t count) {
  std::thread echo([&] {
    char byte = 0;
    while (recv(link.right.get(), &byte, 1, 0) == 1) send(link.right.get(), &byte, 1, MSG_NOSIGNAL);
  });
  std::vector<double> micros;
  for (size_t i = 0; i < count; ++i) {
    char byte = 'x';
    const auto start = Clock::now();
    send(link.left.get(), &byte, 1, MSG_NOSIGNAL);
    if (recv(link.left.get(), &byte, 1, 0) != 1) Fail("round trip");
    micros.push_back(Seconds(Clock::now() - start) * 1e6);
  }
  shutdown(link.left.get(), SHUT_WR);
  echo.join();
  std::sort(micros.begin(), micros.end());
  return {micros[count / 2], micros[count * 99 / 100]};
}

void MeasureSpeed(int pipes, const char* how) {
  Bench bench({.loops = 1, .pipes = pipes});
  const Link link = bench.Join();
  const double bytes = 4 * kGiB;
  const double before = SpliceCpu();
  const double speed = Bulk(link.left.get(), link.right.get(), bytes);
  fmt::print("one pair, {}: {:.0f} MiB/s, {:.3f} CPU-s/GiB of the loop\n", how, speed,
             (SpliceCpu() - before) / (bytes / kGiB));
}

void MeasureBeside(const char* how, const std::function<Link()>& connect, size_t rounds) {
  std::atomic<bool> stop = false;
  std::vector<Link> bulk;
  std::vector<std::thread> threads;
  std::atomic<double> total = 0;
  bulk.reserve(kBulkPairs);
  for (int i = 0; i < kBulkPairs; ++i) bulk.push_back(connect());
  const auto start = Clock::now();
  for (const Link& link : bulk) {
    threads.emplace_back([&] { SendBulk(link.left.get(), 1e18, stop); });
    threads.emplace_back([&] { total += ReceiveBulk(link.right.get()); });
  }
  const RoundTrips beside = Ping(connect(), rounds);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  fmt::print("round trip beside {} in bulk, {}: p50 {:.0f} us, p99 {:.0f} us (bulk {:.0f} MiB/s)\n",
             kBulkPairs, how, beside.p50, beside.p99, total / kMiB / Seconds(Clock::now() - start));
}

void MeasureIdle(int pairs) {
  Bench bench({.loops = 1, .pipes = 512});
  std::vector<Link> links;
  links.reserve(static_cast<size_t>(pairs));
  const double before = ResidentKiB();
  for (int i = 0; i < pairs; ++i) links.push_back(bench.Join());
  Ping(bench.Join(), 1);
  fmt::print("{} idle pairs: {:.2f} KiB resident each, beside the kernel's two sockets\n", pairs,
             (ResidentKiB() - before) / pairs);
}

}  // namespace

int main() {
  if (!culvert::net::RaiseProcessLimits().ok()) Fail("limits");
  MeasureIdle(4'000);  // first: what is freed later would be used again
  constexpr size_t kRounds = 20'000;
  const auto [one, other] = Connected();
  fmt::print("one connection, nothing between: {:.0f} MiB/s\n",
             Bulk(one.get(), other.get(), 4 * kGiB));
  const RoundTrips direct = Ping(ConnectDirectly(), kRounds);
  fmt::print("round trip, nothing between: p50 {:.0f} us, p99 {:.0f} us\n", direct.p50, direct.p99);
  MeasureSpeed(512, "through a pipe");
  MeasureSpeed(0, "copied");
  {
    Bench bench({.loops = 1, .pipes = 512});
    const RoundTrips idle = Ping(bench.Join(), kRounds);
    fmt::print("round trip: p50 {:.0f} us, p99 {:.0f} us\n", idle.p50, idle.p99);
  }
  MeasureBeside("nothing between", ConnectDirectly, 2'000);
  {
    Bench bench({.loops = 1, .pipes = 512});
    MeasureBeside(
        "spliced", [&] { return bench.Join(); }, 2'000);
  }
}
