// Leases, data port, parked sockets and splicer together, as a broker joins two ends.
#include <netinet/tcp.h>

#include "broker/data_port.h"
#include "broker/leases.h"
#include "broker/parked_sockets.h"
#include "net/splicer.h"
#include "tests/support/loopback.h"
#include "tests/unit/broker/data_owners.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using test::Fd;

struct StitchingFixture {
  net::EventLoop loop;
  Leases leases;
  ParkedSockets parked{loop};
  DataPort port{
      loop, DataPort::Peers::kLoopback, {}, [this](std::string_view token, net::UniqueFd socket) {
        const auto leased = leases.Redeem(token, loop.Now());
        if (!leased) return DataPort::Verdict::kWrong;
        parked.Park(*leased, std::move(socket));
        return DataPort::Verdict::kGood;
      }};
  std::vector<net::SpliceEnd> ends;
  std::unique_ptr<net::Splicer> splicer;

  StitchingFixture() {
    REQUIRE(port.Listen(*net::Address::FromLiteral("127.0.0.1", 0)).ok());
    auto started =
        net::Splicer::Start(loop, {.loops = 1}, [this](const auto& end) { ends.push_back(end); });
    REQUIRE(started.ok());
    splicer = *std::move(started);
  }

  // Leases a token, dials and parks; the id and the far end.
  std::pair<uint64_t, Fd> Park(const DataOwner& owner, const std::string& early = "") {
    const auto granted = leases.Grant(owner, 1, parked.CountOf(owner.principal), loop.Now());
    REQUIRE(granted.size() == 1);
    Fd fd = test::ConnectToLoopback(port.addresses().front().port());
    test::SendAll(fd.get(), granted[0].token + early);
    const size_t before = parked.size();
    REQUIRE(Until([&] { return parked.size() > before; }));
    return {granted[0].parked_id, std::move(fd)};
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
};

TEST_CASE("Two ends that parked sockets are joined, with what they sent early", "[stitching]") {
  StitchingFixture test;
  auto [consumer_id, consumer] = test.Park(kUser, "hello from the consumer");
  auto [provider_id, provider] = test.Park(kAgent);
  auto from = test.parked.Take(kUser, consumer_id);
  auto to = test.parked.TakeNewest(kAgent);
  REQUIRE((from && to));
  CHECK(to->id == provider_id);
  const int provider_near = to->socket.get();
  const uint64_t pair = test.splicer->Join(std::move(from->socket), std::move(to->socket));
  std::string got;
  REQUIRE(test.Until([&, fd = provider.get()] {
    got += test::ReadNow(fd).bytes;
    return got.size() >= 23;
  }));
  CHECK(got == "hello from the consumer");
  // A live peer that does not read is not to be taken for dead.
  int timeout = -1;
  socklen_t size = sizeof(timeout);
  REQUIRE(getsockopt(provider_near, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &size) == 0);
  CHECK(timeout == 0);

  test.splicer->Cut(pair);
  REQUIRE(test.Until([&] { return test.ends.size() == 1; }));
  CHECK(test::ReadNow(consumer.get()).error == ECONNRESET);
  CHECK(test::ReadNow(provider.get()).error == ECONNRESET);
}

TEST_CASE("A principal that has parked 16 sockets gets no more leases", "[stitching]") {
  StitchingFixture test;
  std::vector<Fd> far_ends;
  for (int i = 0; i < 16; ++i) far_ends.push_back(test.Park(kAgent).second);
  const auto lease = [&] {
    return test.leases.Grant(kAgent, 5, test.parked.CountOf(kAgent.principal), test.loop.Now());
  };
  CHECK(lease().empty());
  CHECK(test.parked.TakeNewest(kAgent));
  CHECK(lease().size() == 1);
}

}  // namespace
}  // namespace culvert::broker
