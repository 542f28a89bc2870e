#include "sdk/connectivity.h"

#include <memory>
#include <optional>
#include <vector>

#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;

struct Told {
  Told()
      : brokers(loop, {"127.0.0.1:1"}, rpc::Credentials::Insecure()), connectivity(loop, brokers) {}
  void Tell() {
    bool done = false;
    connectivity.HandleNetworkChange();
    loop.Post([this, &done] { loop.Post([&done] { done = true; }); });
    REQUIRE(loop.RunUntil([&done] { return done; }, 5s));
  }

  net::EventLoop loop;
  BrokerList brokers;
  Connectivity connectivity;
};

using Subscription = Connectivity::Subscription;

TEST_CASE("Connectivity tells those who are there, whoever comes and goes meanwhile",
          "[connectivity]") {
  Told told;
  std::vector<int> heard;
  std::optional<Subscription> first;
  std::optional<Subscription> second;
  std::optional<Subscription> third;
  std::optional<Subscription> fourth;
  std::optional<Subscription> late;
  const auto hears = [&](
                         std::optional<Subscription>& one, int number,
                         std::function<void()> meanwhile = [] {}) {
    one.emplace(told.connectivity, Subscription::Callbacks{.on_try_now =
                                                               [&heard, number, meanwhile] {
                                                                 heard.push_back(number);
                                                                 meanwhile();
                                                               },
                                                           .on_dead = nullptr});
  };
  hears(first, 1);
  hears(second, 2, [&] {
    first.reset();   // was told
    second.reset();  // itself
    third.reset();   // the next
    hears(late, 5);
  });
  hears(third, 3);
  hears(fourth, 4);
  told.Tell();
  CHECK(heard == std::vector<int>{1, 2, 4});
  told.Tell();
  CHECK(heard == std::vector<int>{1, 2, 4, 4, 5});
}

TEST_CASE("Connectivity has any number of subscriptions come and go", "[connectivity]") {
  constexpr size_t kMany = 100'000;
  Told told;
  size_t heard = 0;
  std::vector<std::unique_ptr<Subscription>> all;
  const MonotonicTime begun = MonotonicNow();
  for (size_t i = 0; i < kMany; ++i) {
    all.push_back(std::make_unique<Subscription>(
        told.connectivity,
        Subscription::Callbacks{.on_try_now = [&heard] { ++heard; }, .on_dead = nullptr}));
  }
  told.Tell();
  all.clear();
  // Looking for each of them in the list takes a hundred times as long.
  CHECK(MonotonicNow() - begun < 2s);
  CHECK(heard == kMany);
}

}  // namespace
}  // namespace culvert
