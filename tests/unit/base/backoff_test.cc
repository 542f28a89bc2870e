#include "base/backoff.h"

#include <algorithm>

#include "tests/support/catch.h"

namespace culvert {
namespace {

using std::chrono::milliseconds;

constexpr Backoff::Options kOptions{milliseconds(100), milliseconds(1000), 2.0};

TEST_CASE("Backoff grows to its maximum and jitters in the upper half", "[backoff]") {
  Backoff backoff(kOptions);
  for (int cap : {100, 200, 400, 800, 1000, 1000, 1000}) {
    const Duration wait = backoff.Next();
    CHECK(wait >= milliseconds(cap) / 2);
    CHECK(wait <= milliseconds(cap));
  }
}

TEST_CASE("Backoff starts over after Reset", "[backoff]") {
  Backoff backoff(kOptions);
  for (int i = 0; i < 10; ++i) backoff.Next();
  backoff.Reset();
  CHECK(backoff.Next() <= milliseconds(100));
  CHECK(backoff.Next() >= milliseconds(100));
}

TEST_CASE("Backoff does not make a fleet wait in step", "[backoff]") {
  Duration shortest = Duration::max();
  Duration longest = Duration::zero();
  for (int i = 0; i < 1000; ++i) {
    Backoff backoff(kOptions);
    const Duration wait = backoff.Next();
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
  }
  CHECK(shortest < milliseconds(60));
  CHECK(longest > milliseconds(90));
}

}  // namespace
}  // namespace culvert
