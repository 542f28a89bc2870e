// What a stitched path costs: two paths over a connection on loopback, each with a loop and a
// thread of its own, one of which sends as fast as it can.
#include "stitch/stitch_path.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/loop_thread.h"

namespace culvert::stitch {
namespace {

constexpr double kMiB = 1024 * 1024;

std::pair<int, int> Connect() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  CULVERT_CHECK(bind(listener, generic, size) == 0 && listen(listener, 1) == 0);
  CULVERT_CHECK(getsockname(listener, generic, &size) == 0);
  const int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CULVERT_CHECK(connect(one, generic, size) == 0);
  const int other = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  CULVERT_CHECK(other >= 0);
  close(listener);
  return {one, other};
}

// One end: sends `left` messages of `size` bytes if there are any, counts what comes, and answers
// every message if it echoes.
class End final : public tunnel::Path::Delegate, public StitchPath::HelloListener {
 public:
  enum class Kind { kSource, kSink, kEcho, kAsker };

  End(net::EventLoop& loop, int fd, Kind kind, size_t size, uint64_t left, std::atomic<bool>& done)
      : kind_(kind), left_(left), done_(done), payload_(std::string(size, 'x')) {
    auto stream = net::TcpStream::FromFd(loop, fd);
    CULVERT_CHECK(stream.ok());
    v1::StitchHello hello;
    hello.set_attempt(1);
    path_ = std::make_unique<StitchPath>(loop, *std::move(stream), hello, *this, *this);
    path_->SetReading(true);
  }

 private:
  absl::Status OnHello(const v1::StitchHello&) override { return absl::OkStatus(); }
  void OnPathReady() override {
    if (kind_ == Kind::kAsker && id_ == 0) Say();
    while (kind_ == Kind::kSource && left_ > 0 && path_->ready()) {
      --left_;
      Say();
    }
  }
  void OnPathMessage(tunnel::Message message) override {
    CULVERT_CHECK(std::get<tunnel::Data>(message).bytes.size() == payload_.size());
    --left_;
    if (left_ == 0) done_ = true;
    if (kind_ == Kind::kEcho || (kind_ == Kind::kAsker && left_ > 0)) Say();
  }
  void OnPathEnd(absl::Status) override {}

  void Say() { path_->Send(tunnel::Data{++id_, payload_, false, false}); }

  const Kind kind_;
  uint64_t left_;
  uint64_t id_ = 0;
  std::atomic<bool>& done_;
  const Bytes payload_;
  std::unique_ptr<StitchPath> path_;
};

double ProcessorSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Spent {
  double seconds;
  double processor;
};

Spent Run(End::Kind one_kind, End::Kind other_kind, size_t size, uint64_t count) {
  const auto [one_fd, other_fd] = Connect();
  std::atomic<bool> done = false;
  std::atomic<bool> ignored = false;
  std::unique_ptr<End> one;
  std::unique_ptr<End> other;
  net::LoopThread one_loop;
  net::LoopThread other_loop;
  const MonotonicTime begin = MonotonicNow();
  const double processor = ProcessorSeconds();
  one_loop.loop().Post([&, fd = one_fd] {
    one = std::make_unique<End>(one_loop.loop(), fd, one_kind, size, count,
                                one_kind == End::Kind::kAsker ? done : ignored);
  });
  other_loop.loop().Post([&, fd = other_fd] {
    other = std::make_unique<End>(other_loop.loop(), fd, other_kind, size, count,
                                  one_kind == End::Kind::kAsker ? ignored : done);
  });
  while (!done) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const Spent spent{ToSeconds(MonotonicNow() - begin), ProcessorSeconds() - processor};
  one_loop.loop().Post([&] { one.reset(); });
  other_loop.loop().Post([&] { other.reset(); });
  return spent;
}

void MeasureBulk(size_t size, double mib) {
  const auto count = static_cast<uint64_t>(mib * kMiB / static_cast<double>(size));
  const Spent spent = Run(End::Kind::kSource, End::Kind::kSink, size, count);
  fmt::print("bulk, {:>6} bytes a message {:>8.0f} MiB/s {:>8.3f} CPU-s/GiB\n", size,
             mib / spent.seconds, spent.processor / (mib / 1024));
}

// What a path that is up keeps allocated when nothing happens on it.
void MeasureIdle() {
  constexpr size_t kPairs = 200;
  net::EventLoop loop;
  std::atomic<bool> ignored = false;
  std::vector<std::unique_ptr<End>> ends;
  ends.reserve(2 * kPairs);
  const auto run = [&](Duration time) { loop.RunUntil([] { return false; }, time); };
  const auto add = [&](size_t pairs) {
    for (size_t i = 0; i < pairs; ++i) {
      const auto [one, other] = Connect();
      for (const int fd : {one, other})
        ends.push_back(std::make_unique<End>(loop, fd, End::Kind::kSink, size_t{1}, 0, ignored));
    }
    run(std::chrono::milliseconds(300));
  };
  add(1);  // what the loop itself keeps
  const size_t before = mallinfo2().uordblks;
  add(kPairs);
  const auto each = static_cast<double>(mallinfo2().uordblks - before) / (2.0 * kPairs);
  fmt::print("an idle path {:>8.0f} bytes\n", each);
}

void MeasureRoundTrip(uint64_t count) {
  const Spent spent = Run(End::Kind::kAsker, End::Kind::kEcho, 1, count);
  const auto each = [&](double seconds) { return seconds / static_cast<double>(count) * 1e6; };
  fmt::print("round trip of 1 byte {:>8.1f} µs {:>8.1f} µs of the processor\n", each(spent.seconds),
             each(spent.processor));
}

}  // namespace
}  // namespace culvert::stitch

int main(int argc, char** argv) {
  const double mib = argc > 1 ? std::atof(argv[1]) : 4096;
  constexpr size_t kKiB = 1024;
  for (const size_t size : {kKiB, 16 * kKiB, 64 * kKiB, 64 * kKiB + 116, 128 * kKiB, 256 * kKiB})
    culvert::stitch::MeasureBulk(size, size < 16 * kKiB ? mib / 8 : mib);
  culvert::stitch::MeasureRoundTrip(20'000);
  culvert::stitch::MeasureIdle();
}
