#include "broker/quotas.h"

#include <array>
#include <map>
#include <vector>

#include "base/status.h"
#include "culvert/error_code.h"
#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;

struct QuotasFixture {
  std::map<std::string, store::Quota> of;
  MonotonicTime now{1h};
  Quotas quotas{[this](const std::string& project) {
    const auto found = of.find(project);
    return found == of.end() ? store::Quota() : found->second;
  }};

  void Set(const std::string& project, const store::Quota& quota) {
    of[project] = quota;
    quotas.Reload(now);
  }
  bool MayOpen(const std::string& project = "lab") {
    return !quotas.TakeOpening(project, now).has_value();
  }
  Quotas::Channel Count(const std::string& project = "lab") { return quotas.Count(project, now); }
};

TEST_CASE("Quotas without a store limit nothing", "[quotas]") {
  Quotas quotas(nullptr);
  const MonotonicTime now{1h};
  for (int i = 0; i < 100; ++i) CHECK_FALSE(quotas.TakeOpening("lab", now));
  CHECK_FALSE(quotas.CheckAgents("lab", 1'000'000, now));
  const Quotas::Channel counted = quotas.Count("lab", now);
  CHECK_FALSE(counted.rate()->is_limited());
  quotas.Reload(now);
  CHECK(quotas.UseOf("lab", now).channels == 1);
}

TEST_CASE_METHOD(QuotasFixture, "Quota of agents refuses one more, with words and a time",
                 "[quotas]") {
  Set("lab", {.agents = 2});
  CHECK_FALSE(quotas.CheckAgents("lab", 1, now));
  const auto refused = quotas.CheckAgents("lab", 2, now);
  REQUIRE(refused);
  CHECK(absl::IsResourceExhausted(refused->status));
  CHECK(ErrorCodeOf(refused->status) == ErrorCode::kLimit);
  CHECK(refused->retry_after >= Quotas::kAgentRetry);
  CHECK(refused->retry_after <= 2 * Quotas::kAgentRetry);
  const std::string words(MessageOf(refused->status));
  CHECK(words.find("project lab has its quota of 2 agents: try again in ") == 0);
  CHECK_FALSE(quotas.CheckAgents("another", 1'000, now));
}

TEST_CASE_METHOD(QuotasFixture,
                 "Quota of channels counts those that are here and those without a path",
                 "[quotas]") {
  Set("lab", {.channels = 2});
  CHECK(MayOpen());
  std::vector<Quotas::Channel> live;
  live.push_back(Count());
  quotas.Suspend("lab", 7, 60s, now);
  CHECK(quotas.UseOf("lab", now).channels == 2);
  const auto refused = quotas.TakeOpening("lab", now);
  REQUIRE(refused);
  CHECK(absl::IsResourceExhausted(refused->status));
  CHECK(refused->retry_after >= Quotas::kChannelRetry);
  CHECK(MayOpen("another"));

  SECTION("one that ends makes room") {
    live.clear();
    CHECK(MayOpen());
  }
  SECTION("one without a path that is forgotten makes room") {
    quotas.Forget(7);
    CHECK(MayOpen());
  }
  SECTION("one without a path makes room when its time is over") {
    now += 60s;
    CHECK(MayOpen());
  }
  SECTION("one without a path counts once") {
    quotas.Suspend("lab", 7, 90s, now);
    CHECK(quotas.UseOf("lab", now).channels == 2);
    now += 89s;
    CHECK_FALSE(MayOpen());
  }
  SECTION("a resume goes above, and new ones wait until there is room again") {
    live.push_back(Count());
    live.push_back(Count());
    live.pop_back();
    CHECK_FALSE(MayOpen());
    live.pop_back();
    CHECK_FALSE(MayOpen());
    live.pop_back();
    CHECK(MayOpen());
  }
}

TEST_CASE_METHOD(QuotasFixture, "Quota of new channels tells when the next one may be",
                 "[quotas]") {
  Set("lab", {.new_channels_per_second = 4});
  for (int i = 0; i < 4; ++i) CHECK(MayOpen());
  const auto refused = quotas.TakeOpening("lab", now);
  REQUIRE(refused);
  CHECK(refused->retry_after >= 250ms);
  CHECK(refused->retry_after <= 500ms);
  now += refused->retry_after;
  CHECK(MayOpen());
  quotas.ReturnOpening("lab", now);
  CHECK(MayOpen());
  now += 1s;
  int opened = 0;
  while (MayOpen()) ++opened;
  CHECK(opened == 4);
}

TEST_CASE_METHOD(QuotasFixture, "Quota of 0 lets nobody in, and says to stay away for long",
                 "[quotas]") {
  Set("lab", {.agents = 0, .channels = 0});
  CHECK(quotas.CheckAgents("lab", 0, now)->retry_after >= 60s);
  CHECK(quotas.TakeOpening("lab", now)->retry_after >= 60s);
  Set("lab", {.new_channels_per_second = 0});
  CHECK(quotas.TakeOpening("lab", now)->retry_after >= 60s);
}

TEST_CASE_METHOD(QuotasFixture, "Quota that is changed counts at once for what is here",
                 "[quotas]") {
  const Quotas::Channel counted = Count();
  CHECK_FALSE(counted.rate()->is_limited());
  Set("lab", {.channels = 1, .bytes_per_second = 1'000'000});
  CHECK(counted.rate()->is_limited());
  CHECK_FALSE(MayOpen());
  Set("lab", {.channels = 2});
  CHECK_FALSE(counted.rate()->is_limited());
  CHECK(MayOpen());
  Set("lab", {.new_channels_per_second = 1});
  CHECK(MayOpen());
  CHECK_FALSE(MayOpen());
  Set("lab", {.agents = 3, .new_channels_per_second = 1});  // no new bucket for the same rate
  CHECK_FALSE(MayOpen());
}

TEST_CASE_METHOD(QuotasFixture, "Channels of a project share one rate", "[quotas]") {
  const Quotas::Channel one = Count();
  const Quotas::Channel two = Count();
  const Quotas::Channel other = Count("another");
  CHECK(one.rate() == two.rate());
  CHECK(one.rate() != other.rate());
}

TEST_CASE_METHOD(QuotasFixture, "Quotas forget projects that have nothing, and no others",
                 "[quotas]") {
  Set("lab", {.channels = 1});
  const Quotas::Channel counted = Count();
  quotas.Suspend("away", 1, 60s, now);
  for (int i = 0; i < 10'000; ++i) Count("p" + std::to_string(i));
  CHECK_FALSE(MayOpen());
  CHECK(quotas.UseOf("lab", now).channels == 1);
  CHECK(quotas.UseOf("away", now).channels == 1);
}

TEST_CASE_METHOD(QuotasFixture, "Quotas count a bounded number of channels without a path",
                 "[quotas][slow]") {
  constexpr std::array kProjects = {"lab", "yard", "farm"};
  for (uint64_t i = 0; i < Quotas::kMostSuspended + 5; ++i) {
    quotas.Suspend(kProjects.at(i % 3), i + 1, 60s + std::chrono::milliseconds(i), now);
  }
  uint64_t all = 0;
  for (const char* project : kProjects) all += quotas.UseOf(project, now).channels;
  CHECK(all == Quotas::kMostSuspended);
}

TEST_CASE_METHOD(QuotasFixture, "Channels without a path of one project push out no others",
                 "[quotas][slow]") {
  for (uint64_t i = 1; i <= 100; ++i) quotas.Suspend("small", i, 60s, now);
  uint64_t id = 1'000;
  for (uint64_t i = 0; i < Quotas::kMostSuspended; ++i) {
    quotas.Suspend("greedy", ++id, std::chrono::hours(24 * 7), now);
  }
  CHECK(quotas.UseOf("greedy", now).channels == Quotas::kMostSuspendedOfOne);
  for (uint64_t i = 0; i < Quotas::kMostSuspended; ++i) {
    quotas.Suspend("greedy-too", ++id, std::chrono::hours(24 * 7), now);
  }
  CHECK(quotas.UseOf("small", now).channels == 100);
  const auto greedy = [this] {
    return quotas.UseOf("greedy", now).channels + quotas.UseOf("greedy-too", now).channels;
  };
  CHECK(greedy() == Quotas::kMostSuspended - 100);
  // Who comes later has room, at the expense of those who have most.
  for (uint64_t i = 0; i < 50; ++i) quotas.Suspend("late", ++id, 60s, now);
  CHECK(quotas.UseOf("late", now).channels == 50);
  CHECK(quotas.UseOf("small", now).channels == 100);
  CHECK(greedy() == Quotas::kMostSuspended - 150);
  now += 60s;
  CHECK(quotas.UseOf("small", now).channels == 0);
  CHECK(greedy() == Quotas::kMostSuspended - 150);
}

TEST_CASE_METHOD(QuotasFixture, "Quotas tell how many were opened in the last second", "[quotas]") {
  Set("lab", {.new_channels_per_second = 10});
  for (int i = 0; i < 7; ++i) MayOpen();
  now += 1100ms;
  CHECK(quotas.UseOf("lab", now).new_channels_per_second == 7);
  now += 1s;
  CHECK(quotas.UseOf("lab", now).new_channels_per_second == 0);
}

}  // namespace
}  // namespace culvert::broker
