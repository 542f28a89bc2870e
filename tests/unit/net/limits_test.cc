#include "net/limits.h"

#include <sys/resource.h>

#include <csignal>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

// Puts the limit back.
struct LimitFixture {
  rlimit before{};
  LimitFixture() { REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0); }
  ~LimitFixture() { setrlimit(RLIMIT_NOFILE, &before); }
};

TEST_CASE_METHOD(LimitFixture, "RaiseProcessLimits raises the soft limit and ignores two signals",
                 "[limits]") {
  rlimit low = before;
  low.rlim_cur = 64;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_DFL);

  CHECK(RaiseProcessLimits().ok());
  rlimit after{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(after.rlim_cur == after.rlim_max);
  CHECK(std::signal(SIGPIPE, SIG_IGN) == SIG_IGN);
  CHECK(std::signal(SIGXFSZ, SIG_IGN) == SIG_IGN);
}

TEST_CASE_METHOD(LimitFixture, "DescriptorRefusalThreshold is 90 % of the limit", "[limits]") {
  rlimit low = before;
  low.rlim_cur = 100;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  CHECK(DescriptorRefusalThreshold() == 90);
}

}  // namespace
}  // namespace culvert::net
