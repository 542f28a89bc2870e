#include "broker/departures.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr uint64_t kSession = 7;
constexpr uint64_t kChannel = 5;
constexpr char kEndpoint[] = "127.0.0.1:4022";

struct DeparturesFixture {
  MonotonicTime now = MonotonicTime(std::chrono::hours(1));
  std::optional<Departures> departures{std::in_place, Departures::Times{}, now - minutes(1)};

  // Whom the broker hears all the time.
  std::shared_ptr<Departures::Endpoint> others = departures->Enter("127.0.0.2:1", now);

  // A connection with one stream that carried a channel, and maybe others.
  struct Consumer {
    std::string endpoint;
    uint64_t channel;
    std::shared_ptr<Departures::Endpoint> connect;
    std::shared_ptr<Departures::Endpoint> attach;
  };
  Consumer Come(uint64_t channel = kChannel, const std::string& endpoint = kEndpoint) {
    return {endpoint, channel, departures->Enter(endpoint, now), departures->Enter(endpoint, now)};
  }
  void LoseConnect(const Consumer& consumer) {
    departures->Leave(consumer.connect, now);
    departures->UserLost(consumer.endpoint, kSession, consumer.channel, now);
  }
  void Close(const Consumer& consumer) {
    LoseConnect(consumer);
    departures->Leave(consumer.attach, now);
  }
  // Channels whose users are gone `after` that time.
  std::vector<uint64_t> GoneAfter(Duration after) {
    if (others) others->Heard(now + std::min(after, Duration(milliseconds(201))));
    now += after;
    std::vector<uint64_t> channels;
    for (const Departures::Gone& gone : departures->Judge(now)) channels.push_back(gone.channel_id);
    return channels;
  }
};

using Channels = std::vector<uint64_t>;

TEST_CASE_METHOD(DeparturesFixture, "Departures takes who closes and stays away for gone",
                 "[departures]") {
  Consumer consumer = Come();
  SECTION("whichever stream ends first") {
    departures->Leave(consumer.attach, now);
    now += milliseconds(100);
    LoseConnect(consumer);
  }
  SECTION("whichever stream ends last") {
    LoseConnect(consumer);
    now += milliseconds(100);
    departures->Leave(consumer.attach, now);
    now -= milliseconds(100);
  }
  SECTION("heard of a while ago") {
    now += seconds(6);
    Close(consumer);
  }
  CHECK(departures->next_verdict() == now + seconds(5));
  CHECK(GoneAfter(milliseconds(4'999)).empty());
  CHECK(GoneAfter(milliseconds(1)) == Channels{kChannel});
  CHECK(GoneAfter(seconds(60)).empty());
  CHECK_FALSE(departures->next_verdict());
}

TEST_CASE_METHOD(DeparturesFixture, "Departures takes an agent with its session for gone",
                 "[departures]") {
  const auto listen = departures->Enter(kEndpoint, now);
  departures->Leave(listen, now);
  departures->AgentLost(kEndpoint, kSession, now);
  others->Heard(now + seconds(1));
  now += seconds(5);
  const auto gone = departures->Judge(now);
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].session_id == kSession);
  CHECK(gone[0].channel_id == 0);
}

TEST_CASE_METHOD(DeparturesFixture, "Departures waits for who is only cut off", "[departures]") {
  Consumer consumer = Come();
  SECTION("silent before it ended") {
    now += seconds(7);
    Close(consumer);
  }
  SECTION("back in time") {
    Close(consumer);
    now += milliseconds(4'900);
    departures->Back(kChannel);
  }
  SECTION("with a connection that goes on") { LoseConnect(consumer); }
  SECTION("with a connection that closes later, for another reason") {
    LoseConnect(consumer);
    now += seconds(2);
    departures->Leave(consumer.attach, now);
  }
  SECTION("with a connection that goes on with another stream") {
    Close(consumer);
    consumer.attach = departures->Enter(kEndpoint, now);
  }
  CHECK(GoneAfter(seconds(5)).empty());
  CHECK(GoneAfter(minutes(5)).empty());
}

TEST_CASE_METHOD(DeparturesFixture, "Departures goes by what was heard last", "[departures]") {
  Consumer consumer = Come();
  now += minutes(1);
  consumer.attach->Heard(now);
  now += seconds(3);
  Close(consumer);
  CHECK(GoneAfter(seconds(5)) == Channels{kChannel});
}

TEST_CASE_METHOD(DeparturesFixture, "Departures counts the time from the last loss of a channel",
                 "[departures]") {
  Close(Come());
  CHECK(GoneAfter(seconds(3)).empty());
  departures->Back(kChannel);
  Close(Come());
  CHECK(GoneAfter(seconds(3)).empty());
  CHECK(GoneAfter(seconds(2)) == Channels{kChannel});
}

TEST_CASE_METHOD(DeparturesFixture, "Departures takes many at once for a network", "[departures]") {
  const auto close = [this](size_t number) {
    Close(Come(number, fmt::format("127.0.0.1:{}", number)));
    now += milliseconds(50);
  };
  for (size_t i = 1; i <= Departures::kMostAtOnce; ++i) close(i);
  SECTION("16 are not many") { CHECK(GoneAfter(seconds(5)).size() == Departures::kMostAtOnce); }
  SECTION("nor are 17 in a longer time") {
    CHECK(GoneAfter(milliseconds(4'300)).size() == 3);
    close(17);
    CHECK(GoneAfter(milliseconds(700)).size() == Departures::kMostAtOnce - 3);
    CHECK(GoneAfter(seconds(5)) == Channels{17});
  }
  SECTION("17 are") {
    close(17);
    CHECK(GoneAfter(seconds(5)).empty());
    close(18);
    CHECK(GoneAfter(seconds(5)) == Channels{18});
  }
}

TEST_CASE_METHOD(DeparturesFixture, "Departures counts connections, not channels", "[departures]") {
  std::vector<Consumer> streams;
  for (uint64_t i = 1; i <= 40; ++i) streams.push_back(Come(i));
  for (const Consumer& stream : streams) Close(stream);
  CHECK(GoneAfter(seconds(5)).size() == 40);
}

TEST_CASE_METHOD(DeparturesFixture, "Departures judges nobody at a broker that began or ends",
                 "[departures]") {
  SECTION("it is young") {
    departures.emplace(Departures::Times{}, now - seconds(14));
    others = departures->Enter("127.0.0.2:1", now);
    Close(Come());
  }
  SECTION("it drains") {
    departures->Stop();
    Close(Come());
  }
  SECTION("it begins to drain meanwhile") {
    Close(Come());
    departures->Stop();
  }
  CHECK(GoneAfter(seconds(5)).empty());
}

TEST_CASE_METHOD(DeparturesFixture, "Departures gives more time when the broker stood still",
                 "[departures]") {
  Close(Come());
  CHECK(GoneAfter(milliseconds(6'001)).empty());
  CHECK(departures->next_verdict() == now + seconds(5));
  SECTION("to who comes back") {
    departures->Back(kChannel);
    CHECK(GoneAfter(seconds(5)).empty());
  }
  SECTION("and no more than that") { CHECK(GoneAfter(seconds(5)) == Channels{kChannel}); }
}

TEST_CASE_METHOD(DeparturesFixture, "Departures judges nobody while the broker hears nobody",
                 "[departures]") {
  Close(Come());
  now += milliseconds(100);
  others->Heard(now);  // sent before
  const auto heard = std::exchange(others, nullptr);
  CHECK(GoneAfter(seconds(5)).empty());
  for (int i = 0; i < 60; ++i) CHECK(GoneAfter(milliseconds(500)).empty());
  SECTION("then gives them a moment") {
    heard->Heard(now);
    CHECK(GoneAfter(milliseconds(1'900)).empty());
    departures->Back(kChannel);
    CHECK(GoneAfter(seconds(1)).empty());
  }
  SECTION("and no more than that") {
    SECTION("after a message") { heard->Heard(now); }
    SECTION("after a new stream") { departures->Enter("127.0.0.1:2", now); }
    CHECK(GoneAfter(seconds(2)) == Channels{kChannel});
  }
}

TEST_CASE_METHOD(DeparturesFixture, "Departures remembers for a while who is gone",
                 "[departures]") {
  departures->Remember(kChannel, now);
  CHECK(departures->IsGone(kChannel, now + minutes(10)));
  CHECK_FALSE(departures->IsGone(kChannel + 1, now));
  SECTION("for ten minutes") {
    CHECK_FALSE(departures->IsGone(kChannel, now + minutes(10) + seconds(1)));
  }
  SECTION("the newest 4,096") {
    for (uint64_t i = 1; i < Departures::kMostRemembered; ++i) departures->Remember(1'000 + i, now);
    CHECK(departures->IsGone(kChannel, now));
    departures->Remember(1'000, now);
    CHECK_FALSE(departures->IsGone(kChannel, now));
    CHECK(departures->IsGone(1'000, now));
  }
}

}  // namespace
}  // namespace culvert::broker
