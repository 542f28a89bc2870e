#include "net/deferred.h"

#include <memory>
#include <optional>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

TEST_CASE("Deferred runs once for several calls of Schedule, not inside them", "[deferred]") {
  EventLoop loop;
  int ran = 0;
  Deferred deferred(loop, [&] { ++ran; });
  deferred.Schedule();
  deferred.Schedule();
  CHECK(ran == 0);
  bool later = false;
  loop.Post([&] { later = true; });
  CHECK(loop.RunUntil([&] { return later; }, 5s));
  CHECK(ran == 1);
}

TEST_CASE("Deferred does not run once it is destroyed", "[deferred]") {
  EventLoop loop;
  auto token = std::make_shared<int>();
  bool ran = false;
  std::optional<Deferred> deferred(std::in_place, loop, [&ran, token] { ran = true; });
  deferred->Schedule();
  deferred.reset();
  bool later = false;
  loop.Post([&] { later = true; });
  CHECK(loop.RunUntil([&] { return later; }, 5s));
  CHECK_FALSE(ran);
  CHECK(token.use_count() == 1);
}

TEST_CASE("Deferred may schedule itself again from its callback", "[deferred]") {
  EventLoop loop;
  int ran = 0;
  std::optional<Deferred> deferred;
  deferred.emplace(loop, [&] {
    if (++ran < 3) deferred->Schedule();
  });
  deferred->Schedule();
  CHECK(loop.RunUntil([&] { return ran == 3; }, 5s));
}

TEST_CASE("Deferred may be destroyed in its callback, also when scheduled again", "[deferred]") {
  EventLoop loop;
  int ran = 0;
  const bool again = GENERATE(false, true);
  std::optional<Deferred> deferred;
  deferred.emplace(loop, [&] {
    ++ran;
    if (again) deferred->Schedule();
    deferred.reset();
  });
  deferred->Schedule();
  CHECK_FALSE(loop.RunUntil([&] { return ran > 1; }, 20ms));
  CHECK(ran == 1);
}

}  // namespace
}  // namespace culvert::net
