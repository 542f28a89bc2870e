#include "net/byte_rate.h"

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

struct RateFixture {
  ByteRate rate{100'000};
  MonotonicTime now{1h};

  // What a sender that always has more sends in `time`, `size` at once.
  uint64_t SentIn(Duration time, uint64_t size) {
    const MonotonicTime end = now + time;
    uint64_t sent = 0;
    for (;;) {
      const ByteRate::Place place = rate.Claim(size, now);
      for (Duration wait; (wait = rate.WaitFor(place, now)) > 0ns;) now += wait;
      if (now > end) return sent;
      sent += size;
    }
  }
};

TEST_CASE("Byte rate without a limit lets everything through", "[byte_rate]") {
  ByteRate rate;
  CHECK_FALSE(rate.is_limited());
  const MonotonicTime now{1h};
  for (int i = 0; i < 10; ++i) CHECK(rate.WaitFor(rate.Claim(1'000'000, now), now) == 0ns);
}

TEST_CASE_METHOD(RateFixture, "Byte rate lets through what it says, and what was saved",
                 "[byte_rate]") {
  const auto size = GENERATE(as<uint64_t>{}, 100, 1'000, 20'000, 65'536);
  const uint64_t sent = SentIn(10s, size);
  CHECK(sent >= 1'000'000);
  CHECK(sent <= 1'000'000 + 25'000 + 2 * size);
}

TEST_CASE_METHOD(RateFixture, "Byte rate saves nothing up beyond its limit", "[byte_rate]") {
  SentIn(1s, 1'000);
  now += 1h;
  CHECK(SentIn(1s, 1'000) <= 100'000 + 25'000 + 1'000);
}

TEST_CASE_METHOD(RateFixture, "Byte rate gives each of those who wait a turn", "[byte_rate]") {
  SentIn(1s, 1'000);
  const ByteRate::Place first = rate.Claim(50'000, now);
  const ByteRate::Place second = rate.Claim(10'000, now);
  const ByteRate::Place third = rate.Claim(10'000, now);
  CHECK(rate.WaitFor(first, now) < 50ms);
  CHECK(rate.WaitFor(second, now) == ByteRate::kMostWait);
  now += 550ms;
  CHECK(rate.WaitFor(second, now) == 0ns);
  CHECK(rate.WaitFor(third, now) > 0ns);
  now += 150ms;
  CHECK(rate.WaitFor(third, now) == 0ns);
}

TEST_CASE_METHOD(RateFixture, "Byte rate lets those who wait have what is given back",
                 "[byte_rate]") {
  SentIn(1s, 1'000);
  rate.Claim(1'000'000, now);
  const ByteRate::Place waits = rate.Claim(1'000, now);
  CHECK(rate.WaitFor(waits, now) > 0ns);
  rate.GiveBack(1'000'000);
  now += 50ms;
  CHECK(rate.WaitFor(waits, now) == 0ns);
}

TEST_CASE_METHOD(RateFixture, "Byte rate that is changed counts for who waits already",
                 "[byte_rate]") {
  SentIn(1s, 1'000);
  rate.Claim(1'000'000, now);  // ten seconds
  const ByteRate::Place waits = rate.Claim(1'000, now);
  rate.SetLimit(10'000'000, now);
  now += 110ms;
  CHECK(rate.WaitFor(waits, now) == 0ns);

  rate.Claim(50'000'000, now);
  const ByteRate::Place next = rate.Claim(1'000, now);
  CHECK(rate.WaitFor(next, now) > 0ns);
  rate.SetLimit(0, now);
  CHECK_FALSE(rate.is_limited());
  CHECK(rate.WaitFor(next, now) == 0ns);
  rate.SetLimit(100'000, now);
  CHECK(rate.WaitFor(next, now) == 0ns);  // what went without a limit is no debt
}

TEST_CASE_METHOD(RateFixture, "Byte rate tells what went through in the last second",
                 "[byte_rate]") {
  SentIn(5s, 1'000);
  const uint64_t recent = rate.Recent(now);
  CHECK(recent > 80'000);
  CHECK(recent < 130'000);
  now += 5s;
  CHECK(rate.Recent(now) == 0);
}

}  // namespace
}  // namespace culvert::net
