// A network between two network namespaces, as bad as it is told to be: a TUN device in each, and
// this program in between, which delays, drops, reorders and paces real packets.
//
//   net_relay NAMESPACE:DEVICE NAMESPACE:DEVICE [SEED]
//
// NAMESPACE is a file such as /proc/123/ns/net. The devices exist as long as the program runs; it
// ends when standard input does. A line on standard input is a command, answered by a line: "ok",
// what was asked for, or "error". DIRECTION is a2b, b2a or both:
//
//   delay DIRECTION MS        how long a packet is under way (0)
//   rate DIRECTION MBIT       how fast they go; 0 is as fast as they can (0)
//   queue DIRECTION KIB       how much may be waiting or under way; more is dropped (1024)
//   loss DIRECTION PERCENT    how many are lost (0)
//   reorder DIRECTION PERCENT how many overtake those before them (0)
//   drop DIRECTION on|off     whether all are lost
//   stats                     "a2b PACKETS BYTES LOST b2a PACKETS BYTES LOST"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <queue>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

constexpr size_t kLargestPacket = 65'536;
constexpr int kPacketsPerTurn = 64;  // of one direction, before the other has its turn

struct Packet {
  Clock::time_point due;
  uint64_t number;  // keeps those that are due at once in order
  std::string bytes;
};

struct DueLater {
  bool operator()(const Packet& left, const Packet& right) const {
    return std::tie(left.due, left.number) > std::tie(right.due, right.number);
  }
};

// What happens to packets that go one way.
struct Conditions {
  nanoseconds delay{0};
  double nanoseconds_per_byte = 0;
  size_t queue_bytes = 1024 * 1024;
  double loss = 0;
  double reorder = 0;
  bool drop = false;
};

// From one device to the other.
class Direction {
 public:
  Direction(int from, int to, uint64_t seed) : from_(from), to_(to), random_(seed) {}

  Conditions& conditions() { return conditions_; }
  int from() const { return from_; }

  std::string Stats() const {
    return std::to_string(packets_) + " " + std::to_string(bytes_) + " " + std::to_string(lost_);
  }

  // Takes what has come.
  void Read() {
    std::array<char, kLargestPacket> buffer;  // NOLINT(*-member-init): read() fills it
    for (int i = 0; i < kPacketsPerTurn; ++i) {
      const ssize_t size = read(from_, buffer.data(), buffer.size());
      if (size <= 0) return;
      Take(std::string_view(buffer.data(), static_cast<size_t>(size)));
    }
  }

  // Hands over what is due.
  void Write(Clock::time_point now) {
    while (!waiting_.empty() && waiting_.top().due <= now) {
      const std::string& bytes = waiting_.top().bytes;
      // EIO: the device is down. A packet that is lost is what this is about.
      const bool delivered = !conditions_.drop && write(to_, bytes.data(), bytes.size()) > 0;
      ++(delivered ? packets_ : lost_);
      if (delivered) bytes_ += bytes.size();
      queued_ -= bytes.size();
      waiting_.pop();
    }
  }

  std::optional<Clock::time_point> next_due() const {
    if (waiting_.empty()) return std::nullopt;
    return waiting_.top().due;
  }

 private:
  bool Chance(double share) { return share > 0 && uniform_(random_) < share; }

  void Take(std::string_view bytes) {
    if (conditions_.drop || Chance(conditions_.loss) ||
        queued_ + bytes.size() > conditions_.queue_bytes) {
      ++lost_;
      return;
    }
    const double pace = conditions_.nanoseconds_per_byte * static_cast<double>(bytes.size());
    line_free_ = std::max(line_free_, Clock::now()) + nanoseconds(static_cast<int64_t>(pace));
    const Clock::time_point due =
        Chance(conditions_.reorder) ? line_free_ : line_free_ + conditions_.delay;
    queued_ += bytes.size();
    waiting_.push(Packet{due, ++number_, std::string(bytes)});
  }

  const int from_;
  const int to_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_{0, 1};
  Conditions conditions_;
  std::priority_queue<Packet, std::vector<Packet>, DueLater> waiting_;
  Clock::time_point line_free_;  // when the last packet will have left at the set rate
  size_t queued_ = 0;
  uint64_t number_ = 0;
  uint64_t packets_ = 0;
  uint64_t bytes_ = 0;
  uint64_t lost_ = 0;
};

bool Set(Conditions& conditions, std::string_view what, std::string_view value) {
  if (what == "drop") {
    conditions.drop = value == "on";
    return value == "on" || value == "off";
  }
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < 0) return false;
  if (what == "delay") {
    conditions.delay = nanoseconds(static_cast<int64_t>(number * 1e6));
  } else if (what == "rate") {
    conditions.nanoseconds_per_byte = number == 0 ? 0 : 8'000 / number;
  } else if (what == "queue") {
    conditions.queue_bytes = static_cast<size_t>(number * 1024);
  } else if (what == "loss") {
    conditions.loss = number / 100;
  } else if (what == "reorder") {
    conditions.reorder = number / 100;
  } else {
    return false;
  }
  return true;
}

// The answer to a command.
std::string Obey(const std::string& line, Direction& a2b, Direction& b2a) {
  std::istringstream words(line);
  std::string what;
  std::string direction;
  std::string value;
  words >> what >> direction >> value;
  if (what == "stats") return "a2b " + a2b.Stats() + " b2a " + b2a.Stats();
  const bool both = direction == "both";
  if (!both && direction != "a2b" && direction != "b2a") return "error";
  bool good = true;
  if (both || direction == "a2b") good = Set(a2b.conditions(), what, value);
  if (both || direction == "b2a") good = Set(b2a.conditions(), what, value) && good;
  return good ? "ok" : "error";
}

// Reads lines from standard input without waiting for them.
class Commands {
 public:
  // False at the end of standard input.
  template <typename Handler>
  bool Read(Handler handler) {
    std::array<char, 4096> buffer;  // NOLINT(*-member-init): read() fills it
    const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size <= 0) return size < 0 && errno == EINTR;
    unfinished_.append(buffer.data(), static_cast<size_t>(size));
    for (size_t end; (end = unfinished_.find('\n')) != std::string::npos;) {
      handler(unfinished_.substr(0, end));
      unfinished_.erase(0, end + 1);
    }
    return true;
  }

 private:
  std::string unfinished_;
};

bool Enter(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool entered = setns(fd, CLONE_NEWNET) == 0;
  close(fd);
  return entered;
}

// A new TUN device, `place` being NAMESPACE:DEVICE. -1 and errno if there is none.
int OpenDevice(const std::string& place) {
  const size_t colon = place.rfind(':');
  errno = EINVAL;
  if (colon == std::string::npos || place.size() - colon > IFNAMSIZ) return -1;
  if (!Enter(place.substr(0, colon))) return -1;
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, place.c_str() + colon + 1, IFNAMSIZ - 1);
  return ioctl(fd, TUNSETIFF, &request) == 0 ? fd : -1;
}

// How long until the next packet is due.
std::optional<timespec> Until(std::optional<Clock::time_point> a,
                              std::optional<Clock::time_point> b) {
  if (!a && !b) return std::nullopt;
  const Clock::time_point due = a && b ? std::min(*a, *b) : a ? *a : *b;
  const int64_t left = std::max<int64_t>(duration_cast<nanoseconds>(due - Clock::now()).count(), 0);
  return timespec{.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
}

void Run(Direction& a2b, Direction& b2a) {
  Commands commands;
  std::array<pollfd, 3> waits{
      {{STDIN_FILENO, POLLIN, 0}, {a2b.from(), POLLIN, 0}, {b2a.from(), POLLIN, 0}}};
  while (true) {
    const std::optional<timespec> limit = Until(a2b.next_due(), b2a.next_due());
    if (ppoll(waits.data(), waits.size(), limit ? &*limit : nullptr, nullptr) < 0) continue;
    if (waits[1].revents != 0) a2b.Read();
    if (waits[2].revents != 0) b2a.Read();
    const Clock::time_point now = Clock::now();
    a2b.Write(now);
    b2a.Write(now);
    const auto obey = [&](const std::string& line) {
      std::cout << Obey(line, a2b, b2a) << std::endl;
    };
    if (waits[0].revents != 0 && !commands.Read(obey)) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::cerr << "usage: net_relay NAMESPACE:DEVICE NAMESPACE:DEVICE [SEED]\n";
    return 2;
  }
  const uint64_t seed = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : 1;
  const int a = OpenDevice(argv[1]);
  const int b = a < 0 ? -1 : OpenDevice(argv[2]);
  if (b < 0) {
    std::cerr << "net_relay: " << argv[a < 0 ? 1 : 2] << ": " << std::strerror(errno) << "\n";
    return 1;
  }
  Direction a2b(a, b, seed);
  Direction b2a(b, a, seed + 1);
  std::cout << "ready" << std::endl;
  Run(a2b, b2a);
  return 0;
}
