#include "base/token_bucket.h"

#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kStart{1h};

TEST_CASE("TokenBucket gives its burst, then its rate", "[token_bucket]") {
  TokenBucket bucket({.per_second = 10, .burst = 3}, kStart);
  for (int i = 0; i < 3; ++i) CHECK(bucket.Take(kStart));
  CHECK_FALSE(bucket.Take(kStart));
  CHECK(bucket.Wait(kStart) == 100ms);
  CHECK_FALSE(bucket.Take(kStart + 99ms));
  CHECK(bucket.Take(kStart + 101ms));
}

TEST_CASE("TokenBucket saves no more than its burst", "[token_bucket]") {
  TokenBucket bucket({.per_second = 10, .burst = 2}, kStart);
  CHECK(bucket.IsFull(kStart));
  CHECK(bucket.Take(kStart));
  CHECK_FALSE(bucket.IsFull(kStart));
  const MonotonicTime later = kStart + 1h;
  CHECK(bucket.IsFull(later));
  CHECK(bucket.Take(later));
  CHECK(bucket.Take(later));
  CHECK_FALSE(bucket.Take(later));
}

TEST_CASE("TokenBucket takes back what was not needed, up to its burst", "[token_bucket]") {
  TokenBucket bucket({.per_second = 10, .burst = 1}, kStart);
  CHECK(bucket.Take(kStart));
  bucket.Return();
  bucket.Return();
  CHECK(bucket.Take(kStart));
  CHECK_FALSE(bucket.Take(kStart));
}

TEST_CASE("TokenBucket does not go back with the clock", "[token_bucket]") {
  TokenBucket bucket({.per_second = 1, .burst = 1}, kStart);
  CHECK(bucket.Take(kStart));
  CHECK_FALSE(bucket.Take(kStart - 1min));
  CHECK_FALSE(bucket.Take(kStart));
}

TEST_CASE("TokenBuckets keep keys apart, and a bounded number of them", "[token_bucket]") {
  TokenBuckets buckets({.per_second = 1, .burst = 1}, 2);
  CHECK(buckets.For("a", kStart).Take(kStart));
  CHECK_FALSE(buckets.For("a", kStart).Take(kStart));
  CHECK(buckets.For("b", kStart).Take(kStart));
  SECTION("those that are too many share one") {
    CHECK(buckets.For("c", kStart).Take(kStart));
    CHECK_FALSE(buckets.For("d", kStart).Take(kStart));
    CHECK(buckets.size() == 2);
  }
  SECTION("those that have all again are forgotten") {
    CHECK(buckets.For("c", kStart + 2s).Take(kStart + 2s));
    CHECK(buckets.For("d", kStart + 2s).Take(kStart + 2s));
  }
  SECTION("they are not looked for with each key that comes") {
    const MonotonicTime before = kStart + 1s - TokenBuckets::kSweepInterval / 2;
    CHECK(buckets.For("c", before).Take(before));
    CHECK_FALSE(buckets.For("d", kStart + 1s).Take(kStart + 1s));  // "a" has all again by now
    const MonotonicTime later = before + TokenBuckets::kSweepInterval;
    CHECK(buckets.For("d", later).Take(later));
  }
}

}  // namespace
}  // namespace culvert
