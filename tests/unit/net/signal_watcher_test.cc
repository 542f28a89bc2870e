#include "net/signal_watcher.h"

#include <csignal>
#include <memory>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

TEST_CASE("SignalWatcher reports each signal on the loop", "[signal_watcher]") {
  EventLoop loop;
  int seen = 0;
  SignalWatcher watcher(loop, SIGUSR1, [&] { ++seen; });
  raise(SIGUSR1);
  CHECK(seen == 0);
  CHECK(loop.RunUntil([&] { return seen == 1; }, 5s));
  raise(SIGUSR1);
  CHECK(loop.RunUntil([&] { return seen == 2; }, 5s));
}

TEST_CASE("SignalWatcher keeps quiet about other signals", "[signal_watcher]") {
  EventLoop loop;
  int one = 0;
  int two = 0;
  SignalWatcher first(loop, SIGUSR1, [&] { ++one; });
  SignalWatcher second(loop, SIGUSR2, [&] { ++two; });
  raise(SIGUSR2);
  CHECK(loop.RunUntil([&] { return two == 1; }, 5s));
  CHECK(one == 0);
}

TEST_CASE("SignalWatcher may be destroyed in its callback, and the default action comes back",
          "[signal_watcher]") {
  EventLoop loop;
  std::unique_ptr<SignalWatcher> watcher;
  watcher = std::make_unique<SignalWatcher>(loop, SIGUSR1, [&] { watcher.reset(); });
  raise(SIGUSR1);
  CHECK(loop.RunUntil([&] { return watcher == nullptr; }, 5s));
  struct sigaction action {};
  REQUIRE(sigaction(SIGUSR1, nullptr, &action) == 0);
  CHECK(action.sa_handler == SIG_DFL);
}

TEST_CASE("SignalWatcher destroyed with a signal under way reports nothing", "[signal_watcher]") {
  EventLoop loop;
  bool seen = false;
  auto watcher = std::make_unique<SignalWatcher>(loop, SIGUSR1, [&] { seen = true; });
  raise(SIGUSR1);
  watcher.reset();
  CHECK_FALSE(loop.RunUntil([&] { return seen; }, 20ms));
}

}  // namespace
}  // namespace culvert::net
