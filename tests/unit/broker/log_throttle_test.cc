#include "broker/log_throttle.h"

#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;

TEST_CASE("Log throttle lets one line a second through and counts the others", "[log_throttle]") {
  LogThrottle throttle;
  const MonotonicTime start(1h);
  CHECK(throttle.Pass(start) == 0u);
  CHECK_FALSE(throttle.Pass(start).has_value());
  CHECK_FALSE(throttle.Pass(start + 999ms).has_value());
  CHECK(throttle.Pass(start + 1s) == 2u);
  CHECK_FALSE(throttle.Pass(start + 1s).has_value());
  CHECK(throttle.Pass(start + 5s) == 1u);
  CHECK(throttle.Pass(start + 6s) == 0u);
}

}  // namespace
}  // namespace culvert::broker
