#include "sdk/channel_shares.h"

#include <array>
#include <chrono>

#include "tests/support/catch.h"

namespace culvert {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMessage = 240 * kKiB;
constexpr MonotonicTime kSpanStart{std::chrono::seconds(100)};

TEST_CASE("BusyChannels divides a turn among those that move much", "[channel_shares]") {
  BusyChannels busy;
  CHECK(busy.MostPayload(kSpanStart) == BusyChannels::kTurn);
  std::array<BusyChannels::Mark, 20> marks;
  const auto most_with = [&](size_t channels) {
    for (size_t i = 0; i < channels; ++i) busy.OnSent(marks.at(i), kMessage, kSpanStart);
    return busy.MostPayload(kSpanStart);
  };
  CHECK(most_with(1) == 640 * kKiB);
  CHECK(most_with(1) == 640 * kKiB);  // it counts once
  CHECK(most_with(2) == 320 * kKiB);
  CHECK(most_with(3) == 208 * kKiB);  // whole records
  CHECK(most_with(8) == 80 * kKiB);
  CHECK(most_with(15) == BusyChannels::kLeast);
  CHECK(most_with(16) == BusyChannels::kOfMany);
  CHECK(most_with(20) == BusyChannels::kOfMany);
}

TEST_CASE("BusyChannels counts nobody for small messages", "[channel_shares]") {
  BusyChannels busy;
  std::array<BusyChannels::Mark, 8> marks;
  for (BusyChannels::Mark& mark : marks) {
    busy.OnSent(mark, BusyChannels::kMuch - 1, kSpanStart);
  }
  CHECK(busy.MostPayload(kSpanStart) == BusyChannels::kTurn);
}

TEST_CASE("BusyChannels remembers a channel for the next span and no longer", "[channel_shares]") {
  BusyChannels busy;
  std::array<BusyChannels::Mark, 8> marks;
  for (BusyChannels::Mark& mark : marks) busy.OnSent(mark, kMessage, kSpanStart);
  const MonotonicTime next = kSpanStart + BusyChannels::kSpan;
  CHECK(busy.MostPayload(next) == 80 * kKiB);
  busy.OnSent(marks[0], kMessage, next);
  CHECK(busy.MostPayload(next) == 80 * kKiB);
  CHECK(busy.MostPayload(next + BusyChannels::kSpan) == BusyChannels::kTurn);
  CHECK(busy.MostPayload(next + std::chrono::hours(1)) == BusyChannels::kTurn);
}

}  // namespace
}  // namespace culvert
