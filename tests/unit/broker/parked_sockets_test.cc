#include "broker/parked_sockets.h"

#include <netinet/tcp.h>

#include "tests/support/loopback.h"
#include "tests/unit/broker/data_owners.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using test::Fd;
using Result = ParkedSockets::Result;

struct ParkedFixture {
  net::EventLoop loop;
  ParkedSockets parked;

  explicit ParkedFixture(const ParkedSockets::Limits& limits = ParkedSockets::Limits())
      : parked(loop, limits) {}

  // The far end.
  Fd Park(const DataOwner& owner, uint64_t id, Result expected = Result::kParked) {
    auto [near_end, far_end] = test::ConnectedPair();
    CHECK(parked.Park({owner, id}, net::UniqueFd(near_end.Release())) == expected);
    return std::move(far_end);
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
};

int OptionOf(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  REQUIRE(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

TEST_CASE("A parked socket is taken by its id and its owner, once", "[parked_sockets]") {
  ParkedFixture test;
  const Fd far_end = test.Park(kAgent, 1);
  CHECK_FALSE(test.parked.Take(kUser, 1));
  CHECK_FALSE(test.parked.Take(kAgent, 2));
  const auto taken = test.parked.Take(kAgent, 1);
  REQUIRE(taken);
  CHECK(taken->id == 1);
  test::SendAll(taken->socket.get(), "x");
  CHECK(test::ReadNow(far_end.get()).bytes == "x");
  CHECK_FALSE(test.parked.Take(kAgent, 1));
  CHECK(test.parked.size() == 0);
  CHECK(test.parked.CountOf(kAgent.principal) == 0);
}

TEST_CASE("The newest parked socket of an owner is taken first", "[parked_sockets]") {
  ParkedFixture test;
  const Fd first = test.Park(kAgent, 1);
  const Fd second = test.Park(kAgent, 2);
  const Fd others = test.Park(kUser, 3);
  CHECK(test.parked.TakeNewest(kAgent)->id == 2);
  CHECK(test.parked.TakeNewest(kAgent)->id == 1);
  CHECK_FALSE(test.parked.TakeNewest(kAgent));
}

TEST_CASE("A parked socket is forgotten when its peer ends or resets it", "[parked_sockets]") {
  const bool reset = GENERATE(false, true);
  const bool early_bytes = GENERATE(false, true);
  ParkedFixture test;
  Fd far_end = test.Park(kAgent, 1);
  if (early_bytes) test::SendAll(far_end.get(), "early");
  reset ? far_end.Reset() : far_end.Close();
  CHECK(test.Until([&] { return test.parked.size() == 0; }));
  CHECK_FALSE(test.parked.Take(kAgent, 1));
  CHECK(test.parked.CountOf(kAgent.principal) == 0);
}

TEST_CASE("A parked socket that died in this turn is not given out", "[parked_sockets]") {
  ParkedFixture test;
  const Fd alive = test.Park(kAgent, 1);
  Fd dead = test.Park(kAgent, 2);
  dead.Close();  // and the loop does not run
  CHECK(test.parked.TakeNewest(kAgent)->id == 1);
  CHECK(test.parked.size() == 0);
}

TEST_CASE("A socket whose peer is gone already is not parked", "[parked_sockets]") {
  ParkedFixture test;
  auto [near_end, far_end] = test::ConnectedPair();
  far_end.Close();
  CHECK(test.parked.Park({kAgent, 1}, net::UniqueFd(near_end.Release())) == Result::kGone);
  CHECK(test.parked.size() == 0);
}

TEST_CASE("What a parked socket's peer sends early stays in the kernel", "[parked_sockets]") {
  ParkedFixture test;
  const Fd far_end = test.Park(kAgent, 1);
  test::SendAll(far_end.get(), "early bytes");
  int turns = 0;
  CHECK_FALSE(test.loop.RunUntil([&] { return ++turns > 1'000; }, 50ms));  // it does not spin
  const auto taken = test.parked.Take(kAgent, 1);
  REQUIRE(taken);
  CHECK(test::ReadNow(taken->socket.get()).bytes == "early bytes");
}

TEST_CASE("A principal parks 16 sockets, over all of its owners", "[parked_sockets]") {
  ParkedFixture test;
  std::vector<Fd> far_ends;
  DataOwner other_session = kAgent;
  other_session.id = 8;
  for (uint64_t id = 1; id <= 16; ++id) {
    far_ends.push_back(test.Park(id % 2 == 0 ? kAgent : other_session, id));
  }
  const Fd refused = test.Park(kAgent, 17, Result::kTooMany);
  CHECK(test::ReadNow(refused.get()).eof);
  CHECK(test.parked.CountOf(kAgent.principal) == 16);
  const Fd others = test.Park(kUser, 18);
  CHECK(test.parked.size() == 17);
}

TEST_CASE("Parked sockets are bounded in all", "[parked_sockets]") {
  ParkedFixture test({.per_principal = 16, .most = 1});
  const Fd first = test.Park(kAgent, 1);
  const Fd refused = test.Park(kUser, 2, Result::kTooMany);
}

TEST_CASE("Parked sockets go with their owner, and with their time", "[parked_sockets]") {
  ParkedFixture test({.lifetime = 200ms});
  const Fd first = test.Park(kAgent, 1);
  const Fd second = test.Park(kAgent, 2);
  const Fd others = test.Park(kUser, 3);
  test.parked.Drop(kAgent);
  test.parked.Drop(kAgent);
  CHECK(test::ReadNow(first.get()).eof);
  CHECK(test::ReadNow(second.get()).eof);
  CHECK(test.parked.size() == 1);
  CHECK(test.Until([&] { return test.parked.size() == 0; }));
  CHECK(test::ReadNow(others.get()).eof);
}

TEST_CASE("A parked socket notices a host that went away", "[parked_sockets]") {
  ParkedFixture test;
  const Fd far_end = test.Park(kAgent, 1);
  const auto taken = test.parked.Take(kAgent, 1);
  REQUIRE(taken);
  const int fd = taken->socket.get();
  CHECK(OptionOf(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 20);
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 5);
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_KEEPCNT) == 3);
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 20'000);
}

}  // namespace
}  // namespace culvert::broker
