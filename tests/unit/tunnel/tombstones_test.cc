#include "tunnel/tombstones.h"

#include "tests/support/catch.h"

namespace culvert::tunnel {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr MonotonicTime kStart{};
constexpr Tombstones::Tombstone kClean{.last_id = 3, .clean = true};
constexpr Tombstones::Tombstone kReset{.last_id = 4, .clean = false, .code = ErrorCode::kReset};

TEST_CASE("Tombstones know a channel that ended", "[tombstones]") {
  Tombstones tombstones;
  tombstones.Add(7, kReset, kStart);
  const auto found = tombstones.Find(7, kStart);
  REQUIRE(found);
  CHECK(found->last_id == 4);
  CHECK_FALSE(found->clean);
  CHECK(found->code == ErrorCode::kReset);
}

TEST_CASE("Tombstones do not know other channels", "[tombstones]") {
  Tombstones tombstones;
  tombstones.Add(7, kClean, kStart);
  CHECK_FALSE(tombstones.Find(8, kStart));
}

TEST_CASE("Tombstones answer an orderly end with ended and any other with its reason",
          "[tombstones]") {
  CHECK(kClean.AnswerCode() == ErrorCode::kEnded);
  CHECK(kReset.AnswerCode() == ErrorCode::kReset);
}

// BUSY asks the other end to try again, ENDED would be an orderly end.
TEST_CASE("Tombstones answer nothing that would be heard as something else", "[tombstones]") {
  const ErrorCode code = GENERATE(ErrorCode::kBusy, ErrorCode::kUnknownChannel, ErrorCode::kEnded,
                                  ErrorCode::kUnspecified);
  CAPTURE(code);
  const Tombstones::Tombstone tombstone{.last_id = 4, .clean = false, .code = code};
  CHECK(tombstone.AnswerCode() == ErrorCode::kReset);
}

TEST_CASE("Tombstones forget a channel after 60 s", "[tombstones]") {
  Tombstones tombstones;
  tombstones.Add(7, kClean, kStart);
  CHECK(tombstones.Find(7, kStart + seconds(60) - nanoseconds(1)));
  CHECK_FALSE(tombstones.Find(7, kStart + seconds(60)));
  CHECK(tombstones.size() == 0);
}

TEST_CASE("Tombstones forget each channel at its own time", "[tombstones]") {
  Tombstones tombstones;
  tombstones.Add(7, kClean, kStart);
  tombstones.Add(8, kClean, kStart + seconds(1));
  CHECK_FALSE(tombstones.Find(7, kStart + seconds(60)));
  CHECK(tombstones.Find(8, kStart + seconds(60)));
}

TEST_CASE("Tombstones keep the last 4,096 channels", "[tombstones]") {
  Tombstones tombstones;
  for (uint64_t id = 1; id <= 4096; ++id) tombstones.Add(id, kClean, kStart);
  CHECK(tombstones.size() == 4096);
  CHECK(tombstones.Find(1, kStart));
  tombstones.Add(4097, kClean, kStart);
  CHECK(tombstones.size() == 4096);
  CHECK_FALSE(tombstones.Find(1, kStart));
  CHECK(tombstones.Find(2, kStart));
  CHECK(tombstones.Find(4097, kStart));
}

TEST_CASE("Tombstones keep the first end of a channel", "[tombstones]") {
  Tombstones tombstones;
  tombstones.Add(7, kReset, kStart);
  tombstones.Add(7, kClean, kStart + seconds(59));
  CHECK(tombstones.Find(7, kStart + seconds(59))->code == ErrorCode::kReset);
  CHECK_FALSE(tombstones.Find(7, kStart + seconds(60)));
}

TEST_CASE("Tombstones make room by time when one is added", "[tombstones]") {
  Tombstones tombstones;
  tombstones.Add(7, kClean, kStart);
  tombstones.Add(8, kClean, kStart + seconds(60));
  CHECK(tombstones.size() == 1);
}

}  // namespace
}  // namespace culvert::tunnel
