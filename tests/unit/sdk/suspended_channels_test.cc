#include "sdk/suspended_channels.h"

#include <optional>
#include <vector>

#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using tunnel::MemoryBudget;

TEST_CASE("SuspendedChannels gives the oldest up until memory is enough", "[resume]") {
  net::EventLoop loop;
  MemoryBudget budget(1000);
  SuspendedChannels suspended(loop, budget);
  std::vector<int> given_up;
  struct Waiting {
    std::optional<MemoryBudget::Member> member;
    std::optional<SuspendedChannels::Place> place;
  };
  std::vector<Waiting> waiting(3);
  for (size_t i = 0; i < waiting.size(); ++i) {
    waiting[i].member.emplace(budget);
    waiting[i].member->SetUsed(300);
    waiting[i].place.emplace(suspended, [&, i] {
      given_up.push_back(static_cast<int>(i));
      waiting[i].member.reset();
      waiting[i].place.reset();
    });
  }
  MemoryBudget::Member live(budget);
  live.SetUsed(100);
  loop.RunUntil([] { return false; }, 20ms);
  CHECK(given_up.empty());
  live.SetUsed(500);
  CHECK(given_up.empty());  // not inside the call
  CHECK(loop.RunUntil([&] { return !given_up.empty(); }, 5s));
  CHECK(given_up == std::vector{0, 1});
  CHECK(suspended.size() == 1);
}

TEST_CASE("SuspendedChannels takes none in while memory is short", "[resume]") {
  net::EventLoop loop;
  MemoryBudget budget(1000);
  SuspendedChannels suspended(loop, budget);
  MemoryBudget::Member live(budget);
  live.SetUsed(1001);
  int given_up = 0;
  std::optional<SuspendedChannels::Place> place;
  place.emplace(suspended, [&] { ++given_up; });
  CHECK(loop.RunUntil([&] { return given_up == 1; }, 5s));
  CHECK(suspended.size() == 0);
  place.reset();
}

}  // namespace
}  // namespace culvert
