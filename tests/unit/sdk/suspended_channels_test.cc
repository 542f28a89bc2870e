#include "sdk/suspended_channels.h"

#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("SuspendedChannels knows the oldest of all and of each consumer", "[sdk]") {
  SuspendedChannels suspended;
  CHECK_FALSE(suspended.Oldest());
  suspended.Add(3, "ann");
  suspended.Add(1, "bob");
  suspended.Add(2, "bob");
  CHECK(suspended.Ids() == std::vector<uint64_t>{3, 1, 2});
  CHECK(suspended.Oldest() == 3);
  CHECK(suspended.OldestOf("bob") == 1);
  CHECK_FALSE(suspended.OldestOf("eve"));
  CHECK(suspended.CountOf("bob") == 2);

  suspended.Remove(1);
  CHECK(suspended.OldestOf("bob") == 2);
  CHECK(suspended.CountOf("bob") == 1);
  suspended.Remove(2);
  CHECK(suspended.CountOf("bob") == 0);
  CHECK(suspended.size() == 1);
}

TEST_CASE("SuspendedChannels counts a channel once", "[sdk]") {
  SuspendedChannels suspended;
  suspended.Add(1, "ann");
  suspended.Add(2, "ann");
  suspended.Add(1, "ann");
  CHECK(suspended.Ids() == std::vector<uint64_t>{1, 2});
  CHECK(suspended.CountOf("ann") == 2);
  suspended.Remove(1);
  suspended.Remove(1);
  CHECK(suspended.CountOf("ann") == 1);
}

}  // namespace
}  // namespace culvert
