#include "broker/earlier_paths.h"

#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using std::chrono::seconds;

struct EarlierPathsFixture {
  MonotonicTime now = MonotonicTime(seconds(100));
  EarlierPaths paths;
};

TEST_CASE_METHOD(EarlierPathsFixture, "Earlier paths are what the next one goes on from, once",
                 "[earlier_paths]") {
  paths.Keep(5, {.sent = 3, .received = 4, .since = now}, seconds(10), now);
  CHECK_FALSE(paths.Take(6, now));
  const auto taken = paths.Take(5, now + seconds(10));
  REQUIRE(taken);
  CHECK(taken->sent == 3);
  CHECK(taken->received == 4);
  CHECK(taken->since == now);
  CHECK_FALSE(paths.Take(5, now));
  CHECK(paths.size() == 0);
}

TEST_CASE_METHOD(EarlierPathsFixture, "Earlier paths are forgotten when the channel cannot resume",
                 "[earlier_paths]") {
  paths.Keep(1, {}, seconds(20), now);
  paths.Keep(2, {}, seconds(10), now);
  CHECK_FALSE(paths.Take(2, now + seconds(11)));
  CHECK(paths.size() == 1);
  paths.Forget(1);
  CHECK(paths.size() == 0);
}

TEST_CASE_METHOD(EarlierPathsFixture, "Earlier paths are no more than their limit",
                 "[earlier_paths]") {
  for (uint64_t id = 1; id <= EarlierPaths::kMost + 1; ++id) {
    paths.Keep(id, {}, seconds(static_cast<int64_t>(id)), now);
  }
  CHECK(paths.size() == EarlierPaths::kMost);
  CHECK_FALSE(paths.Take(1, now));
  CHECK(paths.Take(2, now));
}

}  // namespace
}  // namespace culvert::broker
