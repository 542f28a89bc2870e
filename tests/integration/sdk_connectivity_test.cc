// How soon a client knows that its connection to a broker is dead, and that the broker is back.
#include <map>
#include <optional>
#include <utility>

#include "sdk/attachment.h"
#include "tests/support/catch.h"
#include "tests/support/played_control.h"
#include "tests/support/tcp_relay.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using test::PlayedControl;
using test::TcpRelay;

grpc::Status AnswerPings(PlayedControl::AttachStream& stream) {
  if (PlayedControl::Greet(stream)) PlayedControl::AnswerPings(stream);
  return grpc::Status::OK;
}

// A client's connection to one broker, all on the test's thread.
struct Link {
  explicit Link(const std::string& address)
      : brokers(loop, {address}, rpc::Credentials::Insecure()), connectivity(loop, brokers) {
    options.name = "a-consumer";
    attachment = std::make_unique<Attachment>(
        loop, brokers, connectivity, options,
        Attachment::Process{.renew = [] {}, .hold_openings = [](Duration) {}});
    subscription.emplace(connectivity,
                         Connectivity::Subscription::Callbacks{
                             [this] { ++try_now; },
                             [this](size_t, const std::string& why) { dead.push_back(why); }});
  }
  ~Link() {
    user.reset();
    attachment.reset();
    loop.RunUntil([] { return false; }, 50ms);  // for gRPC's last words
  }

  bool Until(const std::function<bool()>& done, Duration limit = 5s) {
    return loop.RunUntil(done, limit);
  }
  void Pass(Duration time) {
    loop.RunUntil([] { return false; }, time);
  }
  bool IsAttached() const { return attachment->state() == Attachment::State::kAttached; }
  void Attach() {
    user.emplace(*attachment, Attachment::User::Callbacks{});
    REQUIRE(Until([this] { return IsAttached(); }));
  }

  net::EventLoop loop;
  ClientOptions options;
  BrokerList brokers;
  Connectivity connectivity;
  std::unique_ptr<Attachment> attachment;
  std::optional<Connectivity::Subscription> subscription;
  std::optional<Attachment::User> user;
  int try_now = 0;
  std::vector<std::string> dead;
};

TEST_CASE("Connectivity finds a connection that a blackhole killed within a second of its end",
          "[connectivity][slow]") {
  PlayedControl broker(AnswerPings);
  TcpRelay relay(broker.port());
  Link link(relay.address());
  link.Attach();

  // The kernel sends a ping that was lost again after 1.4, 3 and 6.2 s.
  const Duration outage = GENERATE(Duration(1700ms), Duration(3700ms));
  relay.SetMode(TcpRelay::Mode::kBlackhole);
  link.connectivity.Suspect(0);
  link.Pass(outage);
  CHECK(link.dead.empty());
  relay.SetMode(TcpRelay::Mode::kForward);
  const MonotonicTime back = MonotonicNow();
  REQUIRE(link.Until([&] { return !link.dead.empty(); }));
  REQUIRE(link.Until([&] { return link.IsAttached(); }));
  CHECK(MonotonicNow() - back < 1s);
}

TEST_CASE("Connectivity gives up a connection whose broker takes new ones and says nothing",
          "[connectivity][slow]") {
  PlayedControl broker(AnswerPings);
  TcpRelay relay(broker.port());
  Link link(relay.address());
  link.Attach();

  relay.SetMode(TcpRelay::Mode::kFrozen);
  const MonotonicTime frozen = MonotonicNow();
  link.connectivity.Suspect(0);
  REQUIRE(link.Until([&] { return !link.dead.empty(); }));
  CHECK(MonotonicNow() - frozen >= LinkHealth::kAnswerTime);
  CHECK(MonotonicNow() - frozen < 3s);
  // It does not connect over and over: what is under way waits for it, and probes grow rare.
  const size_t taken = relay.taken();
  link.Pass(2s);
  CHECK(link.dead.size() == 1);
  CHECK(relay.taken() <= taken + 6);
  relay.SetMode(TcpRelay::Mode::kForward);
  const MonotonicTime back = MonotonicNow();
  REQUIRE(link.Until([&] { return link.IsAttached(); }));
  CHECK(MonotonicNow() - back < 500ms);
}

TEST_CASE("Connectivity leaves a connection alone that answers late", "[connectivity][slow]") {
  PlayedControl broker(AnswerPings);
  TcpRelay relay(broker.port());
  Link link(relay.address());
  link.Attach();

  relay.SetMode(TcpRelay::Mode::kFrozen);
  link.connectivity.Suspect(0);
  link.Pass(1s);
  relay.SetMode(TcpRelay::Mode::kForward);
  link.Pass(2s);
  CHECK(link.dead.empty());
  CHECK(link.IsAttached());
}

TEST_CASE("Connectivity tells those who wait that a broker which was away is back",
          "[connectivity][slow]") {
  const uint16_t port = test::PortOf(test::ListenOnLoopback().get());
  Link link("127.0.0.1:" + std::to_string(port));
  link.user.emplace(*link.attachment, Attachment::User::Callbacks{});
  link.subscription->SetWaiting(true);
  link.Pass(1500ms);
  CHECK(link.try_now == 0);

  PlayedControl broker(AnswerPings, port);
  const MonotonicTime back = MonotonicNow();
  REQUIRE(link.Until([&] { return link.try_now > 0; }));
  REQUIRE(link.Until([&] { return link.IsAttached(); }));
  CHECK(MonotonicNow() - back < 600ms);
}

TEST_CASE("Connectivity makes a connection anew that was begun in a blackhole",
          "[connectivity][slow]") {
  PlayedControl broker(AnswerPings);
  TcpRelay relay(broker.port());
  relay.SetMode(TcpRelay::Mode::kBlackhole);
  Link link(relay.address());
  link.user.emplace(*link.attachment, Attachment::User::Callbacks{});
  link.Pass(1300ms);  // the next SYN of the kernel's is due after 3 s

  relay.SetMode(TcpRelay::Mode::kForward);
  const MonotonicTime back = MonotonicNow();
  REQUIRE(link.Until([&] { return link.IsAttached(); }));
  CHECK(MonotonicNow() - back < 700ms);
}

TEST_CASE("Connectivity costs an idle connection nothing but its pings", "[connectivity][slow]") {
  PlayedControl broker(AnswerPings);
  TcpRelay relay(broker.port());
  Link link(relay.address());
  link.Attach();
  link.Pass(3s);
  CHECK(relay.taken() == 1);
  CHECK(link.dead.empty());
  CHECK(link.try_now == 0);
}

}  // namespace
}  // namespace culvert
