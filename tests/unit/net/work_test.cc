#include "net/work.h"

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

constexpr Duration kLimit = std::chrono::seconds(5);

TEST_CASE("Work runs its job on another thread and then done on the loop", "[work]") {
  EventLoop loop;
  std::thread::id job_thread;
  bool done = false;
  const Work work(
      loop, [&] { job_thread = std::this_thread::get_id(); },
      [&] {
        CHECK(loop.IsOnThread());
        done = true;
      });
  CHECK(!done);
  REQUIRE(loop.RunUntil([&] { return done; }, kLimit));
  CHECK(job_thread != std::this_thread::get_id());
}

TEST_CASE("Work that is destroyed while its job runs does not call done", "[work]") {
  EventLoop loop;
  std::promise<void> begun;
  std::promise<void> go_on;
  std::atomic<bool> finished = false;
  bool done = false;
  {
    const Work work(
        loop,
        [&] {
          begun.set_value();
          go_on.get_future().wait();
          finished = true;
        },
        [&] { done = true; });
    begun.get_future().wait();
  }
  go_on.set_value();
  REQUIRE(loop.RunUntil([&] { return finished.load(); }, kLimit));
  // The turn in which libuv hears of it.
  bool next = false;
  const Work later(
      loop, [] {}, [&] { next = true; });
  REQUIRE(loop.RunUntil([&] { return next; }, kLimit));
  CHECK(!done);
}

TEST_CASE("Work may be destroyed by its own done", "[work]") {
  EventLoop loop;
  std::optional<Work> work;
  bool done = false;
  work.emplace(
      loop, [] {},
      [&] {
        work.reset();
        done = true;
      });
  REQUIRE(loop.RunUntil([&] { return done; }, kLimit));
  CHECK(!work);
}

}  // namespace
}  // namespace culvert::net
