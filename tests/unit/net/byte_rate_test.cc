#include "net/byte_rate.h"

#include <algorithm>
#include <vector>

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

struct CrowdFixture {
  struct Sender {
    ByteRate::Place place = 0;
    MonotonicTime claimed{};
    MonotonicTime again{};
    uint64_t sent = 0;
    uint64_t size = 0;
  };

  // `count` senders that always have more, for `time`: the longest that one has waited for a turn.
  Duration LongestWait(ByteRate& rate, size_t count, Duration time) {
    senders.assign(count, {});
    for (Sender& sender : senders) Claim(rate, sender);
    Duration longest{};
    for (const MonotonicTime end = now + time; now < end; now += 10ms) {
      for (Sender& sender : senders) {
        if (sender.again > now) continue;
        if (const Duration wait = rate.WaitFor(sender.place, now); wait > 0ns) {
          sender.again = now + wait;
          continue;
        }
        longest = std::max(longest, now - sender.claimed);
        sender.sent += sender.size;
        Claim(rate, sender);
      }
    }
    for (const Sender& sender : senders) longest = std::max(longest, now - sender.claimed);
    return longest;
  }
  void Claim(ByteRate& rate, Sender& sender) const {
    sender.size = rate.turn();
    sender.place = rate.Claim(sender.size, now);
    sender.claimed = now;
    sender.again = now;
  }

  MonotonicTime now{1h};
  std::vector<Sender> senders;
};

TEST_CASE_METHOD(CrowdFixture, "Byte rate gives everybody of a crowd a turn within seconds",
                 "[byte_rate]") {
  const auto [per_second, count] = GENERATE(table<uint64_t, size_t>(
      {{64 * 1024, 10}, {64 * 1024, 200}, {64 * 1024, 600}, {1 << 20, 2'000}, {1 << 20, 5'000}}));
  CAPTURE(per_second, count);
  ByteRate rate(per_second);
  constexpr Duration kTime = 30s;
  CHECK(LongestWait(rate, count, kTime) < 5s);
  uint64_t sent = 0;
  uint64_t most = 0;
  uint64_t least = UINT64_MAX;
  for (const auto& sender : senders) {
    sent += sender.sent;
    most = std::max(most, sender.sent);
    least = std::min(least, sender.sent);
  }
  // All that there is goes to all of them.
  CHECK(sent >= per_second * 24);
  CHECK(sent <= per_second * 31);
  CHECK(least > 0);
  if (count <= 10) CHECK(most - least <= 2 * size_t{16} * 1024);
}

TEST_CASE_METHOD(CrowdFixture, "Byte rate has full turns again when a crowd is gone",
                 "[byte_rate]") {
  ByteRate rate(64 * 1024);
  const size_t full = rate.turn();
  CHECK(full == size_t{16} * 1024);
  LongestWait(rate, 1'000, 10s);
  CHECK(rate.turn() <= 2 * ByteRate::kLeastTurn);
  now += 10s;
  rate.WaitFor(rate.Claim(1, now), now);
  CHECK(rate.turn() == full);
  rate.Claim(10'000'000, now);
  CHECK(rate.turn() == ByteRate::kLeastTurn);
  rate.SetLimit(0, now);
  rate.SetLimit(1 << 20, now);
  CHECK(rate.turn() == size_t{64} * 1024);
}

}  // namespace
}  // namespace culvert::net
