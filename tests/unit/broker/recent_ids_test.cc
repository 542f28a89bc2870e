#include "broker/recent_ids.h"

#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using std::chrono::seconds;

TEST_CASE("Recent ids are kept for their time", "[recent_ids]") {
  const MonotonicTime now(seconds(100));
  RecentIds ids(seconds(10), 100);
  ids.Add(1, now);
  ids.Add(1, now + seconds(5));  // keeps its time
  CHECK(ids.Has(1, now + seconds(10)));
  CHECK_FALSE(ids.Has(2, now));
  CHECK_FALSE(ids.Has(1, now + seconds(11)));
  CHECK(ids.size() == 0);
}

TEST_CASE("Recent ids are no more than their limit, the newest", "[recent_ids]") {
  const MonotonicTime now(seconds(100));
  RecentIds ids(seconds(10), 3);
  for (uint64_t id = 1; id <= 4; ++id) ids.Add(id, now);
  CHECK(ids.size() == 3);
  CHECK_FALSE(ids.Has(1, now));
  CHECK(ids.Has(2, now));
  CHECK(ids.Has(4, now));
}

}  // namespace
}  // namespace culvert::broker
