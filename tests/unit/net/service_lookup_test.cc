#include "net/service_lookup.h"

#include <optional>
#include <string>
#include <thread>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

// Cannot be asked for: no name server is.
std::string ImpossibleName() { return std::string(64, 'a') + ".test"; }

TEST_CASE("ServiceLookup answers once, on the loop", "[service]") {
  EventLoop loop;
  std::optional<ServiceLookup> lookup;
  int answers = 0;
  lookup.emplace(loop, ImpossibleName(), [&](absl::StatusOr<ServiceRecords> answer) {
    loop.AssertOnThread();
    CHECK_FALSE(answer.ok());
    ++answers;
    lookup.reset();
  });
  CHECK(answers == 0);
  REQUIRE(loop.RunUntil([&] { return answers > 0; }, 10s));
  loop.RunUntil([] { return false; }, 20ms);
  CHECK(answers == 1);
}

TEST_CASE("ServiceLookup that is destroyed does not answer, and its loop may end", "[service]") {
  for (int i = 0; i < 50; ++i) {
    EventLoop loop;
    {
      const ServiceLookup lookup(loop, ImpossibleName(),
                                 [](const absl::StatusOr<ServiceRecords>&) { FAIL("called"); });
      if (i % 2 == 0) std::this_thread::yield();
    }
    if (i % 3 == 0) loop.RunUntil([] { return false; }, 1ms);
  }
}

}  // namespace
}  // namespace culvert::net
