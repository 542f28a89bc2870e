#include "net/event_loop.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "net/loop_thread.h"
#include "net/timer.h"
#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

TEST_CASE("EventLoop runs posted tasks in order and never inside Post", "[event_loop]") {
  EventLoop loop;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) loop.Post([&order, i] { order.push_back(i); });
  CHECK(order.empty());
  CHECK(loop.RunUntil([&] { return order.size() == 3; }, 5s));
  CHECK(order == std::vector{0, 1, 2});
}

TEST_CASE("EventLoop runs a task that a task posted in the next turn", "[event_loop]") {
  EventLoop loop;
  int turn = 0;
  int first = -1;
  int second = -1;
  loop.Post([&] {
    first = turn;
    loop.Post([&] { second = turn; });
  });
  CHECK(loop.RunUntil(
      [&] {
        ++turn;
        return second >= 0;
      },
      5s));
  CHECK(second > first);
}

TEST_CASE("EventLoop loses no task when it posts to itself while others post to it",
          "[event_loop]") {
  constexpr int kOfEach = 20'000;
  LoopThread thread;
  std::atomic<int> own = 0;
  std::function<void()> again = [&] {
    if (++own < kOfEach) thread.loop().Post([&again] { again(); });
  };
  thread.loop().Post([&again] { again(); });
  int others = 0;
  for (int i = 0; i < kOfEach; ++i) thread.loop().Post([&others] { ++others; });
  // The last ones are alone: each must wake the loop by itself.
  for (int i = 0; i < 100; ++i) thread.Run([&others] { ++others; });
  CHECK(others == kOfEach + 100);
  EventLoop waiting;
  CHECK(waiting.RunUntil([&own] { return own == kOfEach; }, 10s));
}

TEST_CASE("EventLoop keeps the order of what it and others post", "[event_loop]") {
  LoopThread thread;
  std::vector<int> order;
  thread.Run([&] {
    thread.loop().Post([&order] { order.push_back(1); });
    std::thread([&] { thread.loop().Post([&order] { order.push_back(2); }); }).join();
    thread.loop().Post([&order] { order.push_back(3); });
  });
  thread.Run([] {});
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("EventLoop returns from Run once it was stopped and nothing is posted", "[event_loop]") {
  EventLoop loop;
  int ran = 0;
  loop.Stop();
  loop.Post([&] {
    ++ran;
    loop.Post([&] { ++ran; });
  });
  loop.Run();
  CHECK(ran == 2);
}

TEST_CASE("EventLoop returns from Run although a timer is still set", "[event_loop]") {
  EventLoop loop;
  Timer timer(loop);
  timer.Start(1h, [] {});
  loop.Stop();
  loop.Run();
  CHECK(timer.is_set());
}

TEST_CASE("EventLoop does not return from Run while a KeepAlive lives", "[event_loop]") {
  EventLoop loop;
  auto keep = std::make_unique<EventLoop::KeepAlive>(loop);
  std::thread foreign([&] {
    loop.Stop();
    // The last callback of something foreign: comes later and releases it.
    loop.Post([&] { loop.Post([&] { keep.reset(); }); });
  });
  loop.Run();
  CHECK(keep == nullptr);
  foreign.join();
}

TEST_CASE("EventLoop runs what is still posted when it is destroyed", "[event_loop]") {
  int ran = 0;
  {
    EventLoop loop;
    loop.Post([&] {
      ++ran;
      loop.Post([&] { ++ran; });
    });
  }
  CHECK(ran == 2);
}

TEST_CASE("EventLoop may be posted to from the destructor of a task", "[event_loop]") {
  EventLoop loop;
  bool ran = false;
  struct PostsWhenDestroyed {
    EventLoop& loop;
    bool& ran;
    ~PostsWhenDestroyed() {
      loop.Post([&flag = ran] { flag = true; });
    }
  };
  loop.Post([held = std::make_unique<PostsWhenDestroyed>(PostsWhenDestroyed{loop, ran})] {});
  CHECK(loop.RunUntil([&] { return ran; }, 5s));
}

TEST_CASE("EventLoop returns false from RunUntil when the time is over", "[event_loop]") {
  EventLoop loop;
  CHECK_FALSE(loop.RunUntil([] { return false; }, 1ms));
  CHECK(loop.RunUntil([] { return true; }, 0ms));
}

TEST_CASE("EventLoop looks at the condition of RunUntil although nothing happens on the loop",
          "[event_loop]") {
  EventLoop loop;
  std::atomic<bool> set = false;
  std::thread foreign([&] { set = true; });
  CHECK(loop.RunUntil([&] { return set.load(); }, 5s));
  foreign.join();
}

TEST_CASE("EventLoop loses no task that several threads post", "[event_loop]") {
  constexpr int kThreads = 4;
  constexpr int kTasks = 5'000;
  EventLoop loop;
  int ran = 0;
  std::vector<std::vector<int>> seen(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        loop.Post([&, t, i] {
          ++ran;
          seen[t].push_back(i);
        });
      }
    });
  }
  CHECK(loop.RunUntil([&] { return ran == kThreads * kTasks; }, 30s));
  for (std::thread& thread : threads) thread.join();
  for (const auto& order : seen) CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("EventLoop keeps the time still while a callback runs", "[event_loop]") {
  EventLoop loop;
  const MonotonicTime before = MonotonicNow();
  bool same = false;
  loop.Post([&] {
    const MonotonicTime now = loop.Now();
    while (MonotonicNow() - now < 5ms) {
    }
    same = loop.Now() == now && now <= MonotonicNow();
  });
  CHECK(loop.RunUntil([&] { return same; }, 5s));
  CHECK(loop.Now() >= before - 10ms);
}

// Whether `fault` aborts, tried in a child process.
bool Aborts(const std::function<void()>& fault) {
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);  // it says why it aborts
    fault();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST_CASE("EventLoop aborts when a handle outlives it", "[event_loop]") {
  CHECK(Aborts([] {
    auto loop = std::make_unique<EventLoop>();
    auto* const leaked = new Timer(*loop);
    leaked->Cancel();
    loop.reset();
  }));
}

TEST_CASE("EventLoop aborts when it is used on a foreign thread", "[event_loop]") {
  EventLoop loop;
  loop.AssertOnThread();
  CHECK(Aborts([&] {
    // As if another thread had run the loop.
    std::thread other([&] { loop.RunUntil([] { return true; }, 0ms); });
    other.join();
    loop.AssertOnThread();
  }));
}

TEST_CASE("LoopThread runs its loop on another thread", "[event_loop]") {
  LoopThread thread;
  CHECK_FALSE(thread.loop().IsOnThread());
  bool on_thread = false;
  std::thread::id id;
  thread.Run([&] {
    on_thread = thread.loop().IsOnThread();
    id = std::this_thread::get_id();
  });
  CHECK(on_thread);
  CHECK(id != std::this_thread::get_id());
}

TEST_CASE("LoopThread runs what was posted before it ends", "[event_loop]") {
  std::atomic<int> ran = 0;
  {
    LoopThread thread;
    for (int i = 0; i < 1'000; ++i) thread.loop().Post([&] { ++ran; });
  }
  CHECK(ran == 1'000);
}

TEST_CASE("LoopThread waits at its end for what keeps its loop alive", "[event_loop]") {
  std::atomic<bool> released = false;
  std::thread foreign;
  {
    LoopThread thread;
    std::unique_ptr<EventLoop::KeepAlive> keep;
    EventLoop& loop = thread.loop();
    thread.Run([&] { keep = std::make_unique<EventLoop::KeepAlive>(loop); });
    foreign = std::thread([&loop, &released, held = std::move(keep)]() mutable {
      loop.Post([&released, held = std::move(held)]() mutable {
        held.reset();
        released = true;
      });
    });
  }
  CHECK(released);
  foreign.join();
}

}  // namespace
}  // namespace culvert::net
