#include "sdk/broker_probe.h"

#include <poll.h>

#include <optional>

#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;

// Takes connections only while it listens.
struct Port {
  Port() : reserved(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in any_port = test::LoopbackSockaddr(0);
    REQUIRE(::bind(reserved.get(), reinterpret_cast<const sockaddr*>(&any_port),
                   sizeof(any_port)) == 0);
  }
  void Listen() { REQUIRE(::listen(reserved.get(), 64) == 0); }
  std::string address() const {
    return "127.0.0.1:" + std::to_string(test::PortOf(reserved.get()));
  }
  bool HasConnection() const {
    pollfd poll{reserved.get(), POLLIN, 0};
    return ::poll(&poll, 1, 0) == 1;
  }

  test::Fd reserved;
};

TEST_CASE("BrokerProbe connects to nothing while it is not wanted", "[broker_probe]") {
  net::EventLoop loop;
  Port port;
  port.Listen();
  BrokerProbe probe(loop, port.address(), [](const BrokerProbe::Success&) {});
  loop.RunUntil([&] { return port.HasConnection(); }, 300ms);
  CHECK_FALSE(port.HasConnection());

  probe.SetWanted(true);
  CHECK(loop.RunUntil([&] { return port.HasConnection(); }, 5s));
}

TEST_CASE("BrokerProbe finds a broker that is back within one interval", "[broker_probe]") {
  net::EventLoop loop;
  Port port;
  std::optional<BrokerProbe::Success> success;
  BrokerProbe probe(loop, port.address(), [&](const BrokerProbe::Success& s) { success = s; });
  probe.SetWanted(true);
  loop.RunUntil([&] { return success.has_value(); }, 600ms);
  REQUIRE_FALSE(success);

  port.Listen();
  const MonotonicTime back = MonotonicNow();
  REQUIRE(loop.RunUntil([&] { return success.has_value(); }, 5s));
  CHECK(MonotonicNow() - back < BrokerProbe::kInterval + 150ms);
  CHECK(success->was_away);
  CHECK(success->address == port.address());
}

TEST_CASE("BrokerProbe asks a broker that answers less and less", "[broker_probe]") {
  net::EventLoop loop;
  Port port;
  port.Listen();
  int successes = 0;
  bool away = false;
  BrokerProbe probe(loop, port.address(), [&](const BrokerProbe::Success& success) {
    ++successes;
    away |= success.was_away;
  });
  probe.SetWanted(true);
  loop.RunUntil([] { return false; }, 2s);
  CHECK(successes >= 2);
  CHECK(successes <= 5);  // 0, 0.25, 0.75, 1.75 s; the last three up to a fifth earlier
  CHECK_FALSE(away);
}

TEST_CASE("BrokerProbe does not wait for connects that are stuck", "[broker_probe]") {
  net::EventLoop loop;
  // A full backlog drops SYNs, as a network that is away does.
  const test::Fd listener = test::ListenOnLoopback(/*backlog=*/0);
  const uint16_t port = test::PortOf(listener.get());
  const test::Fd first = test::ConnectToLoopback(port);
  std::optional<BrokerProbe::Success> success;
  BrokerProbe probe(loop, "127.0.0.1:" + std::to_string(port),
                    [&](const BrokerProbe::Success& s) { success = s; });
  probe.SetWanted(true);
  loop.RunUntil([&] { return success.has_value(); }, 1500ms);
  REQUIRE_FALSE(success);

  const test::Fd taken(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const MonotonicTime back = MonotonicNow();
  REQUIRE(loop.RunUntil([&] { return success.has_value(); }, 5s));
  CHECK(MonotonicNow() - back < BrokerProbe::kInterval + 150ms);
  CHECK(success->was_away);
}

TEST_CASE("BrokerProbe asks more rarely the longer a broker is away", "[broker_probe]") {
  CHECK(BrokerProbe::IntervalAfter(0s) == 250ms);
  CHECK(BrokerProbe::IntervalAfter(10s) == 250ms);
  CHECK(BrokerProbe::IntervalAfter(40s) == 1s);
  CHECK(BrokerProbe::IntervalAfter(24h) == 5s);
}

}  // namespace
}  // namespace culvert
