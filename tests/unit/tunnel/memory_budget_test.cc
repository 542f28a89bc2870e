#include "tunnel/memory_budget.h"

#include <optional>

#include "tests/support/catch.h"

namespace culvert::tunnel {
namespace {

TEST_CASE("MemoryBudget adds up what its members use", "[memory_budget]") {
  MemoryBudget budget(1000);
  MemoryBudget::Member one(budget);
  MemoryBudget::Member two(budget);
  one.SetUsed(300);
  two.SetUsed(200);
  CHECK(budget.used() == 500);
  one.SetUsed(100);
  CHECK(budget.used() == 300);
  CHECK(one.used() == 100);
}

TEST_CASE("MemoryBudget gets back what a member used when it goes", "[memory_budget]") {
  MemoryBudget budget(1000);
  MemoryBudget::Member stays(budget);
  stays.SetUsed(1);
  std::optional<MemoryBudget::Member> goes(std::in_place, budget);
  goes->SetUsed(300);
  goes.reset();
  CHECK(budget.used() == 1);
  CHECK(budget.channels() == 1);
}

TEST_CASE("MemoryBudget divides its limit among channels and their two directions",
          "[memory_budget]") {
  MemoryBudget budget(1'000'000);
  const MemoryBudget::Member one(budget);
  CHECK(one.Share() == 500'000);
  {
    const MemoryBudget::Member two(budget);
    CHECK(one.Share() == 250'000);
    CHECK(two.Share() == 250'000);
  }
  CHECK(one.Share() == 500'000);
}

TEST_CASE("MemoryBudget tells the share of a channel that is about to be made", "[memory_budget]") {
  MemoryBudget budget(1'000'000);
  CHECK(budget.ShareOfNext() == 500'000);
  const MemoryBudget::Member one(budget);
  CHECK(budget.ShareOfNext() == 250'000);
}

TEST_CASE("MemoryBudget leaves each channel enough for a small read", "[memory_budget]") {
  MemoryBudget budget(0);
  CHECK(MemoryBudget::Member(budget).Share() == 8192);
  MemoryBudget small(2 * 8192);
  CHECK(MemoryBudget::Member(small).Share() == 8192);
  MemoryBudget larger(2 * 8193);
  CHECK(MemoryBudget::Member(larger).Share() == 8193);
}

TEST_CASE("MemoryBudget lets windows grow while less than half of it is used", "[memory_budget]") {
  MemoryBudget budget(1000);
  MemoryBudget::Member member(budget);
  CHECK(member.MayGrow());
  member.SetUsed(499);
  CHECK(member.MayGrow());
  member.SetUsed(500);
  CHECK_FALSE(member.MayGrow());
}

TEST_CASE("MemoryBudget is 256 MiB unless told otherwise", "[memory_budget]") {
  CHECK(MemoryBudget().limit() == 256 * 1024 * 1024);
}

}  // namespace
}  // namespace culvert::tunnel
