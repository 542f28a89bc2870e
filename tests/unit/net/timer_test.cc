#include "net/timer.h"

#include <memory>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

TEST_CASE("Timer runs its callback once after the delay, not earlier", "[timer]") {
  EventLoop loop;
  Timer timer(loop);
  int fired = 0;
  const MonotonicTime start = MonotonicNow();
  timer.Start(20ms, [&] { ++fired; });
  CHECK(timer.is_set());
  CHECK(loop.RunUntil([&] { return fired > 0; }, 5s));
  CHECK(MonotonicNow() - start >= 19ms);
  CHECK_FALSE(timer.is_set());
  CHECK_FALSE(loop.RunUntil([&] { return fired > 1; }, 30ms));
}

TEST_CASE("Timer counts from the call although the loop's time stands still", "[timer]") {
  EventLoop loop;
  while (MonotonicNow() - loop.Now() < 30ms) {
  }
  Timer timer(loop);
  bool fired = false;
  const MonotonicTime start = MonotonicNow();
  timer.Start(20ms, [&] { fired = true; });
  CHECK(loop.RunUntil([&] { return fired; }, 5s));
  CHECK(MonotonicNow() - start >= 19ms);
}

TEST_CASE("Timer with a delay of nothing or less fires in a later turn", "[timer]") {
  EventLoop loop;
  Timer timer(loop);
  bool fired = false;
  timer.Start(GENERATE(Duration(0), Duration(1), Duration(-1s)), [&] { fired = true; });
  CHECK_FALSE(fired);
  CHECK(loop.RunUntil([&] { return fired; }, 5s));
}

TEST_CASE("Timer that starts itself again lets the loop go on", "[timer]") {
  EventLoop loop;
  Timer timer(loop);
  int fired = 0;
  std::function<void()> again = [&] {
    ++fired;
    timer.Start(0ms, [&] { again(); });
  };
  again();
  bool posted = false;
  CHECK(loop.RunUntil([&] { return fired > 3; }, 5s));
  loop.Post([&] { posted = true; });
  CHECK(loop.RunUntil([&] { return posted; }, 5s));
}

TEST_CASE("Timer started again replaces what was set before", "[timer]") {
  EventLoop loop;
  Timer timer(loop);
  int first = 0;
  int second = 0;
  timer.Start(1ms, [&] { ++first; });
  timer.Start(2ms, [&] { ++second; });
  CHECK(loop.RunUntil([&] { return second == 1; }, 5s));
  CHECK(first == 0);
}

TEST_CASE("Timer does not fire once cancelled", "[timer]") {
  EventLoop loop;
  Timer timer(loop);
  bool fired = false;
  timer.Start(1ms, [&] { fired = true; });
  timer.Cancel();
  CHECK_FALSE(timer.is_set());
  CHECK_FALSE(loop.RunUntil([&] { return fired; }, 10ms));
}

TEST_CASE("Timer does not fire once destroyed", "[timer]") {
  EventLoop loop;
  bool fired = false;
  auto timer = std::make_unique<Timer>(loop);
  timer->Start(1ms, [&] { fired = true; });
  timer.reset();
  CHECK_FALSE(loop.RunUntil([&] { return fired; }, 10ms));
}

TEST_CASE("Timer may be destroyed in its callback", "[timer]") {
  EventLoop loop;
  auto timer = std::make_unique<Timer>(loop);
  timer->Start(1ms, [&] { timer.reset(); });
  CHECK(loop.RunUntil([&] { return timer == nullptr; }, 5s));
}

}  // namespace
}  // namespace culvert::net
