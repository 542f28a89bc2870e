// Pairs whose bytes a second are limited. Times are wide: the machine may be busy.
#include <sys/socket.h>

#include "tests/unit/net/splice_fixture.h"

namespace culvert::net {
namespace {

constexpr uint64_t kRate = 2'000'000;

struct RatedFixture : SplicerFixture {
  explicit RatedFixture(Splicer::Options options = {.loops = 2, .pipes = 512})
      : SplicerFixture(options) {}

  std::shared_ptr<ByteRate> rate = std::make_shared<ByteRate>(kRate);

  Link JoinRated(std::shared_ptr<ByteRate> with) {
    auto [left, left_near] = ConnectedPair();
    auto [right, right_near] = ConnectedPair();
    test::SetNonBlocking(left_near.get());
    test::SetNonBlocking(right_near.get());
    const uint64_t id = splicer->Join(UniqueFd(left_near.Release()), UniqueFd(right_near.Release()),
                                      std::move(with));
    return {std::move(left), std::move(right), id};
  }
  Link JoinRated() { return JoinRated(rate); }

  // Pumps all links from left to right for `time`, at least; what each has brought, and how long it
  // took.
  Duration Pump(std::vector<Link*> links, Duration time, std::vector<uint64_t>& brought) {
    const std::string bytes = Pattern(256 * 1024);
    brought.assign(links.size(), 0);
    const MonotonicTime start = MonotonicNow();
    CHECK(Until([&] {
      for (size_t i = 0; i < links.size(); ++i) {
        SendSome(links[i]->left.get(), bytes);
        brought[i] += ReadNow(links[i]->right.get()).bytes.size();
      }
      return MonotonicNow() - start >= time;
    }));
    return MonotonicNow() - start;
  }
  static double RateOf(uint64_t bytes, Duration time) {
    return static_cast<double>(bytes) / ToSeconds(time);
  }
};

TEST_CASE("Splicer keeps pairs of one rate within it together, a turn each", "[splicer][slow]") {
  const int pipes = GENERATE(512, 0);
  RatedFixture test({.loops = 2, .pipes = pipes});
  std::vector<Link> links;
  for (int i = 0; i < 4; ++i) links.push_back(test.JoinRated());
  std::vector<uint64_t> brought;
  const Duration took = test.Pump({&links[0], &links[1], &links[2], &links[3]}, 3s, brought);
  uint64_t all = 0;
  for (const uint64_t one : brought) all += one;
  CHECK(test.RateOf(all, took) < 1.3 * kRate);
  CHECK(test.RateOf(all, took) > 0.6 * kRate);
  for (const uint64_t one : brought) {
    CHECK(static_cast<double>(one) > 0.5 * static_cast<double>(all) / 4);
    CHECK(static_cast<double>(one) < 1.6 * static_cast<double>(all) / 4);
  }
}

TEST_CASE("Splicer does not slow a pair because of another's rate", "[splicer][slow]") {
  RatedFixture test({.loops = 1, .pipes = 512});
  Link slow = test.JoinRated();
  Link other = test.JoinRated(std::make_shared<ByteRate>(10 * kRate));
  std::vector<uint64_t> brought;
  const Duration took = test.Pump({&slow, &other}, 3s, brought);
  CHECK(test.RateOf(brought[0], took) < 1.3 * kRate);
  CHECK(test.RateOf(brought[1], took) > 2.5 * kRate);
}

TEST_CASE("Splicer counts both directions in one rate", "[splicer][slow]") {
  RatedFixture test;
  Link link = test.JoinRated();
  const MonotonicTime start = MonotonicNow();
  CHECK(test.ExchangesBytes(link, Pattern(2'000'000)));  // four million, both ways
  const double seconds = ToSeconds(MonotonicNow() - start);
  CHECK(seconds > 1.5);
  CHECK(seconds < 5);
}

TEST_CASE("Splicer goes on at once when the rate is taken away", "[splicer][slow]") {
  RatedFixture test;
  test.rate->SetLimit(64 * 1024, MonotonicNow());
  Link link = test.JoinRated();
  std::vector<uint64_t> brought;
  test.Pump({&link}, 1s, brought);
  CHECK(brought[0] < 512 * 1024);
  test.rate->SetLimit(0, MonotonicNow());
  CHECK(test.Until([&] {
    SendSome(link.left.get(), Pattern(256 * 1024));
    brought[0] += ReadNow(link.right.get()).bytes.size();
    return brought[0] > 20'000'000;
  }));
}

TEST_CASE("Splicer passes on an end, a reset and a cut of a pair that has to wait", "[splicer]") {
  RatedFixture test;
  test.rate->SetLimit(64 * 1024, MonotonicNow());
  Link link = test.JoinRated();
  test.Fill(link.left.get(), Pattern(4'000'000));
  SECTION("a reset") {
    const linger now{1, 0};
    REQUIRE(setsockopt(link.left.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(link.left.Release());
    CHECK(test.EndOf(link.id).outcome == SpliceOutcome::kReset);
  }
  SECTION("a cut") {
    test.splicer->Cut(link.id);
    CHECK(test.EndOf(link.id).outcome == SpliceOutcome::kCut);
  }
  SECTION("an end, behind all bytes") {
    test.rate->SetLimit(0, MonotonicNow());
    REQUIRE(shutdown(link.left.get(), SHUT_WR) == 0);
    CHECK(test.ReadAll(link.right.get()).eof);
  }
}

TEST_CASE("Splicer gives back what a pair that was cut had claimed", "[splicer][slow]") {
  RatedFixture test;
  test.rate->SetLimit(256 * 1024, MonotonicNow());
  std::vector<Link> links;
  for (int i = 0; i < 50; ++i) {
    links.push_back(test.JoinRated());
    SendSome(links.back().left.get(), Pattern(64 * 1024));
  }
  Link last = test.JoinRated();
  for (Link& link : links) test.splicer->Cut(link.id);
  CHECK(test.Until([&] { return test.ends.size() == links.size(); }));
  const MonotonicTime start = MonotonicNow();
  test::SendAll(last.left.get(), "hello");
  CHECK(test.ReadAll(last.right.get(), 5).bytes == "hello");
  CHECK(MonotonicNow() - start < 5s);  // 50 times 64 KiB would be 12
}

}  // namespace
}  // namespace culvert::net
