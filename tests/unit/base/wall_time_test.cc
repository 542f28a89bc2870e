#include "base/wall_time.h"

#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("Wall time is written in UTC with milliseconds", "[wall_time]") {
  const WallTime time = FromUnixMillis(1'700'000'000'123);
  CHECK(FormatTime(time) == "2023-11-14T22:13:20.123Z");
  CHECK(ParseTime(FormatTime(time)) == time);
  CHECK(ToUnixMillis(time) == 1'700'000'000'123);
}

TEST_CASE("Wall time is read in every form of RFC 3339", "[wall_time]") {
  CHECK(ToUnixMillis(*ParseTime("2023-11-15T00:13:20+02:00")) == 1'700'000'000'000);
  CHECK(ToUnixMillis(*ParseTime("2023-11-14T22:13:20.5Z")) == 1'700'000'000'500);
  for (const char* text : {"", "now", "infinite-future", "9999-01-01T00:00:00Z", "2023-11-14",
                           "1900-01-01T00:00:00Z", "2023-13-01T00:00:00Z"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseTime(text).has_value());
  }
}

}  // namespace
}  // namespace culvert
