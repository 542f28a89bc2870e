#include "sdk/waiting_channels.h"

#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("WaitingChannels knows the oldest of each consumer", "[sdk]") {
  WaitingChannels waiting;
  CHECK(waiting.size() == 0);
  waiting.Add(3, "ann");
  waiting.Add(1, "bob");
  waiting.Add(2, "bob");
  CHECK(waiting.Ids() == std::vector<uint64_t>{3, 1, 2});
  CHECK(waiting.OldestOf("bob") == 1);
  CHECK_FALSE(waiting.OldestOf("eve"));
  CHECK(waiting.CountOf("bob") == 2);

  waiting.Remove(1);
  CHECK(waiting.OldestOf("bob") == 2);
  CHECK(waiting.CountOf("bob") == 1);
  waiting.Remove(2);
  CHECK(waiting.CountOf("bob") == 0);
  CHECK(waiting.size() == 1);
}

TEST_CASE("WaitingChannels counts a channel once", "[sdk]") {
  WaitingChannels waiting;
  waiting.Add(1, "ann");
  waiting.Add(2, "ann");
  waiting.Add(1, "ann");
  CHECK(waiting.Ids() == std::vector<uint64_t>{1, 2});
  CHECK(waiting.CountOf("ann") == 2);
  waiting.Remove(1);
  waiting.Remove(1);
  CHECK(waiting.CountOf("ann") == 1);
}

}  // namespace
}  // namespace culvert
