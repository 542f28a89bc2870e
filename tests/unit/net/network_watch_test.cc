#include "net/network_watch.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cstring>

#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

// Gives the loopback interface another address, 127.0.0.`last`, under the name "lo:`last`".
bool AddAddress(int last) {
  const test::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  const std::string name = "lo:" + std::to_string(last);
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl((127U << 24) + static_cast<uint32_t>(last));
  std::memcpy(&request.ifr_addr, &address, sizeof(address));
  return ::ioctl(socket.get(), SIOCSIFADDR, &request) == 0;
}

// Runs `body` in a process with a network of its own, whose changes are nobody else's. What it
// returns is the exit status, so that each failure has its number; -1 if there is no such process.
template <typename Body>
int InOwnNetwork(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    // With a user namespace, this needs no privileges.
    if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ::_exit(100);
    ::_exit(body());
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

TEST_CASE("NetworkWatch tells of a burst of changes once, and of the next one again",
          "[network_watch]") {
  const int outcome = InOwnNetwork([] {
    EventLoop loop;
    int told = 0;
    const NetworkWatch watch(loop, [&] { ++told; });
    if (!watch.is_watching()) return 1;
    if (loop.RunUntil([&] { return told > 0; }, 100ms)) return 2;
    for (int last = 2; last < 10; ++last) {
      if (!AddAddress(last)) return 3;
    }
    const MonotonicTime begun = MonotonicNow();
    if (!loop.RunUntil([&] { return told > 0; }, 5s)) return 4;
    if (MonotonicNow() - begun < NetworkWatch::kBurst - 1ms) return 5;
    if (loop.RunUntil([&] { return told > 1; }, 400ms)) return 6;
    if (!AddAddress(20)) return 7;
    if (!loop.RunUntil([&] { return told == 2; }, 5s)) return 8;
    return 0;
  });
  CHECK(outcome == 0);
}

TEST_CASE("NetworkWatch tells of changes when more came than the kernel keeps for it",
          "[network_watch]") {
  const int outcome = InOwnNetwork([] {
    EventLoop loop;
    int told = 0;
    const NetworkWatch watch(loop, [&] { ++told; });
    // About 400 bytes of buffer for each message; rmem_default is 208 KiB.
    for (int round = 0; round < 20; ++round) {
      for (int last = 2; last < 250; ++last) {
        if (!AddAddress(last)) return 1;
      }
    }
    if (!loop.RunUntil([&] { return told == 1; }, 5s)) return 2;
    loop.RunUntil([] { return false; }, 400ms);
    const int before = told;
    if (!AddAddress(251)) return 3;
    if (!loop.RunUntil([&] { return told > before; }, 5s)) return 4;
    return 0;
  });
  CHECK(outcome == 0);
}

TEST_CASE("NetworkWatch may be destroyed by its callback", "[network_watch]") {
  const int outcome = InOwnNetwork([] {
    EventLoop loop;
    bool told = false;
    std::unique_ptr<NetworkWatch> watch;
    watch = std::make_unique<NetworkWatch>(loop, [&] {
      told = true;
      watch.reset();
    });
    if (!AddAddress(2)) return 1;
    return loop.RunUntil([&] { return told; }, 5s) ? 0 : 2;
  });
  CHECK(outcome == 0);
}

TEST_CASE("NetworkWatch is silent after its end", "[network_watch]") {
  const int outcome = InOwnNetwork([] {
    EventLoop loop;
    bool told = false;
    auto watch = std::make_unique<NetworkWatch>(loop, [&] { told = true; });
    if (!AddAddress(2)) return 1;
    loop.RunUntil([] { return false; }, 10ms);
    watch.reset();
    return loop.RunUntil([&] { return told; }, 100ms) ? 2 : 0;
  });
  CHECK(outcome == 0);
}

}  // namespace
}  // namespace culvert::net
