#include "net/turn_end.h"

#include <optional>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

TEST_CASE("TurnEnd runs once, however often it was scheduled, and not inside the call",
          "[turn_end]") {
  EventLoop loop;
  int runs = 0;
  TurnEnd end(loop, [&] { ++runs; });
  end.Schedule();
  end.Schedule();
  CHECK(runs == 0);
  CHECK(loop.RunUntil([&] { return runs > 0; }, 5s));
  loop.RunUntil([] { return false; }, 20ms);
  CHECK(runs == 1);
  end.Schedule();
  CHECK(loop.RunUntil([&] { return runs == 2; }, 5s));
}

TEST_CASE("TurnEnd does not let the loop wait, also when another one scheduled it", "[turn_end]") {
  EventLoop loop;
  bool ran = false;
  TurnEnd second(loop, [&] {
    ran = true;
    loop.Stop();
  });
  TurnEnd first(loop, [&] { second.Schedule(); });
  first.Schedule();
  loop.Run();  // nothing else would end it
  CHECK(ran);
}

TEST_CASE("TurnEnd may schedule itself again, and the loop goes on in between", "[turn_end]") {
  EventLoop loop;
  int runs = 0;
  int posted = 0;
  std::optional<TurnEnd> end;
  end.emplace(loop, [&] {
    loop.Post([&] { ++posted; });
    if (++runs < 10) end->Schedule();
  });
  end->Schedule();
  CHECK(loop.RunUntil([&] { return posted == 10; }, 5s));
  CHECK(runs == 10);
}

TEST_CASE("TurnEnd may be destroyed before it runs and while it does", "[turn_end]") {
  EventLoop loop;
  int runs = 0;
  std::optional<TurnEnd> end;
  end.emplace(loop, [&] {
    ++runs;
    end.reset();
  });
  end->Schedule();
  SECTION("before") {
    end.reset();
    loop.RunUntil([] { return false; }, 20ms);
    CHECK(runs == 0);
  }
  SECTION("while") {
    CHECK(loop.RunUntil([&] { return runs == 1 && !end; }, 5s));
  }
}

}  // namespace
}  // namespace culvert::net
