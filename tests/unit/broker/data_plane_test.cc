#include "broker/data_plane.h"

#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/loopback.h"
#include "tests/unit/broker/data_owners.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using test::Fd;

struct PlaneFixture {
  net::EventLoop loop;
  std::unique_ptr<DataPlane> plane;

  PlaneFixture() : PlaneFixture(DataPlane::Options{}) {}
  explicit PlaneFixture(DataPlane::Options options) {
    options.splicer.loops = 1;
    auto started = DataPlane::Start(loop, options);
    REQUIRE(started.ok());
    plane = *std::move(started);
  }
  void Listen() { REQUIRE(plane->Listen(*net::Address::FromLiteral("127.0.0.1", 0)).ok()); }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
  void Settle() {
    loop.RunUntil([] { return false; }, 20ms);
  }
  // The parked id and the far end.
  std::pair<uint64_t, Fd> Park(const DataOwner& owner) {
    const auto lent = plane->Lend(owner, 1);
    REQUIRE(lent.leases_size() == 1);
    Fd fd = test::ConnectToLoopback(static_cast<uint16_t>(plane->addresses().front().port()));
    test::SendAll(fd.get(), lent.leases(0).token());
    const uint64_t id = lent.leases(0).parked_id();
    REQUIRE(Until([&] { return plane->Holds(owner, id); }));
    return {id, std::move(fd)};
  }
};

// Two sockets that are joined, and their far ends.
struct PairFixture : PlaneFixture {
  Fd consumer;
  Fd provider;
  std::vector<net::SpliceEnd> ends;
  std::function<void()> on_end;
  std::optional<DataPlane::Pair> pair;

  PairFixture() {
    auto [consumer_near, consumer_far] = test::ConnectedPair();
    auto [provider_near, provider_far] = test::ConnectedPair();
    consumer = std::move(consumer_far);
    provider = std::move(provider_far);
    for (const Fd* near : {&consumer_near, &provider_near}) test::SetNonBlocking(near->get());
    pair.emplace(*plane, net::UniqueFd(consumer_near.Release()),
                 net::UniqueFd(provider_near.Release()), [this](const net::SpliceEnd& end) {
                   ends.push_back(end);
                   if (on_end) on_end();
                 });
  }
  ~PairFixture() { pair.reset(); }

  void Pass(Fd& from, Fd& to, const std::string& bytes) {
    test::SendAll(from.get(), bytes);
    std::string got;
    REQUIRE(Until([&] {
      got += test::ReadNow(to.get()).bytes;
      return got == bytes;
    }));
  }
  bool BothAreReset() {
    int resets = 0;
    return Until([&] {
      for (Fd* fd : {&consumer, &provider}) {
        if (fd->get() >= 0 && test::ReadNow(fd->get()).error == ECONNRESET) {
          fd->Close();
          ++resets;
        }
      }
      return resets == 2;
    });
  }
};

TEST_CASE_METHOD(PlaneFixture, "DataPlane lends nothing while it does not listen", "[data]") {
  CHECK(plane->advertised_port() == 0);
  CHECK(plane->Lend(kUser, 4).leases().empty());
  Listen();
  CHECK(plane->advertised_port() == plane->addresses().front().port());
  CHECK(plane->Lend(kUser, 4).leases_size() == 4);
  plane->StopListening();
  CHECK(plane->advertised_port() == 0);
  CHECK(plane->Lend(kUser, 4).leases().empty());
}

TEST_CASE("DataPlane tells clients another port where it is told to", "[data]") {
  PlaneFixture test(DataPlane::Options{.advertised_port = 443});
  CHECK(test.plane->advertised_port() == 0);
  test.Listen();
  CHECK(test.plane->advertised_port() == 443);
}

TEST_CASE_METHOD(PlaneFixture, "DataPlane lends each principal so many and no more", "[data]") {
  Listen();
  const auto lent = plane->Lend(kUser, 1'000);
  CHECK(lent.leases_size() == 128);
  for (const auto& lease : lent.leases()) {
    CHECK(lease.token().size() == Leases::kTokenBytes);
    CHECK(lease.parked_id() != 0);
    CHECK(lease.expires_ms() == 10'000);
  }
  CHECK(plane->Lend(kUser, 1).leases().empty());
  CHECK(plane->Lend(kAgent, 1).leases_size() == 1);
}

TEST_CASE_METHOD(PlaneFixture, "DataPlane gives a parked socket to its owner, once", "[data]") {
  Listen();
  const auto [id, far] = Park(kUser);
  CHECK_FALSE(plane->Holds(kAgent, id));
  CHECK_FALSE(plane->Take(kAgent, id));
  DataOwner other_process = kUser;
  other_process.id = 10;
  CHECK_FALSE(plane->Take(other_process, id));
  CHECK_FALSE(plane->TakeNewest(kAgent));
  CHECK(plane->Take(kUser, id));
  CHECK_FALSE(plane->Take(kUser, id));
}

TEST_CASE_METHOD(PlaneFixture, "DataPlane closes what an owner that is gone had, and its tokens",
                 "[data]") {
  Listen();
  const auto [id, far] = Park(kUser);
  const auto lent = plane->Lend(kUser, 1);
  plane->Drop(kUser);
  CHECK_FALSE(plane->Holds(kUser, id));
  Fd late = test::ConnectToLoopback(plane->addresses().front().port());
  test::SendAll(late.get(), lent.leases(0).token());
  CHECK(Until([fd = late.get()] {
    const test::PeerRead read = test::ReadNow(fd);
    return read.eof || read.error != 0;
  }));
  CHECK_FALSE(plane->Holds(kUser, lent.leases(0).parked_id()));
}

TEST_CASE_METHOD(PairFixture, "Pair counts what it moves, also after its end", "[data]") {
  Pass(consumer, provider, "question");
  Pass(provider, consumer, "an answer");
  CHECK(pair->moved() == std::array<uint64_t, 2>{8, 9});
  CHECK(plane->pairs() == 1);
  SECTION("that the ends made") {
    consumer.Close();
    provider.Close();
    REQUIRE(Until([this] { return ends.size() == 1; }));
    CHECK(ends[0].outcome == net::SpliceOutcome::kFinished);
  }
  SECTION("that one of them made by a reset") {
    consumer.Reset();
    REQUIRE(Until([this] { return ends.size() == 1; }));
    CHECK(ends[0].outcome != net::SpliceOutcome::kFinished);
    CHECK(test::ReadNow(provider.get()).error == ECONNRESET);
  }
  SECTION("that we made") {
    pair->Cut();
    Settle();
    CHECK(ends.empty());
  }
  CHECK(pair->moved() == std::array<uint64_t, 2>{8, 9});
  CHECK(plane->pairs() == 0);
  Settle();
  CHECK(ends.size() <= 1);
}

TEST_CASE_METHOD(PairFixture, "Pair that is cut resets both ends and tells nobody", "[data]") {
  Pass(consumer, provider, "hello");
  pair->Cut();
  pair->Cut();
  CHECK(BothAreReset());
  Settle();
  CHECK(ends.empty());
}

TEST_CASE_METHOD(PairFixture, "Pair that is destroyed before its end resets both", "[data]") {
  Pass(consumer, provider, "hello");
  pair.reset();
  CHECK(plane->pairs() == 0);
  CHECK(BothAreReset());
  Settle();
  CHECK(ends.empty());
}

TEST_CASE_METHOD(PairFixture, "Pair that is destroyed while its end is on its way tells nobody",
                 "[data]") {
  Pass(consumer, provider, "hello");
  consumer.Reset();
  // The splice loop has seen it, the control loop has not been told.
  std::string got;
  for (int i = 0; i < 5'000'000 && test::ReadNow(provider.get()).error == 0; ++i) {
  }
  pair.reset();
  Settle();
  CHECK(ends.empty());
  CHECK(plane->pairs() == 0);
}

TEST_CASE_METHOD(PairFixture, "Pair may be cut or destroyed by its end", "[data]") {
  SECTION("cut") {
    on_end = [this] { pair->Cut(); };
  }
  SECTION("destroyed") {
    on_end = [this] { pair.reset(); };
  }
  consumer.Reset();
  REQUIRE(Until([this] { return ends.size() == 1; }));
  Settle();
  CHECK(ends.size() == 1);
  CHECK(plane->pairs() == 0);
}

}  // namespace
}  // namespace culvert::broker
