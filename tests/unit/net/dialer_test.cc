#include "net/dialer.h"

#include <cerrno>
#include <optional>
#include <vector>

#include "net/listener.h"
#include "net/uv_error.h"
#include "tests/support/catch.h"
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

using test::Fd;

Address V4(uint16_t port, const char* ip = "127.0.0.1") { return *Address::FromLiteral(ip, port); }

// A port of 127.0.0.1 that drops every SYN: its queue of one is full.
class BlackHole {
 public:
  BlackHole() : listener_(test::ListenOnLoopback(0)), port_(test::PortOf(listener_.get())) {
    for (Fd& fd : filler_) fd = test::ConnectToLoopback(port_, SOCK_NONBLOCK);
  }
  Address address() const { return V4(port_); }

 private:
  Fd listener_;
  uint16_t port_;
  Fd filler_[3];
};

// A port where nobody listens, kept from others for the time of the test.
class ClosedPort {
 public:
  ClosedPort() : bound_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in any = test::LoopbackSockaddr(0);
    REQUIRE(bind(bound_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) == 0);
  }
  Address address() const { return V4(test::PortOf(bound_.get())); }

 private:
  Fd bound_;
};

class OpenPort {
 public:
  Address address() const { return V4(test::PortOf(listener_.get())); }

 private:
  Fd listener_ = test::ListenOnLoopback();
};

struct DialFixture {
  EventLoop loop;
  std::optional<absl::StatusOr<std::unique_ptr<TcpStream>>> result;
  std::unique_ptr<Dial> dial;

  void Start(std::vector<Address> addresses, Duration limit = 5s) {
    dial = std::make_unique<Dial>(loop, std::move(addresses), limit, [this](auto outcome) {
      CHECK_FALSE(result.has_value());
      result = std::move(outcome);
    });
    CHECK_FALSE(result.has_value());  // never inside the constructor
  }
  const absl::StatusOr<std::unique_ptr<TcpStream>>& Result() {
    REQUIRE(loop.RunUntil([&] { return result.has_value(); }, 10s));
    return *result;
  }
};

TEST_CASE_METHOD(DialFixture, "Dial hands out a connected stream", "[dialer]") {
  const OpenPort open;
  Start({open.address()});
  REQUIRE(Result().ok());
  CHECK((*Result())->PeerName() == open.address().ToString());
}

TEST_CASE_METHOD(DialFixture, "Dial reports a refused connection", "[dialer]") {
  const ClosedPort closed;
  Start({closed.address()});
  const absl::Status status = Result().status();
  CHECK(absl::IsUnavailable(status));
  CHECK(status.message() == "dial " + closed.address().ToString() + ": connection refused");
  CHECK(DialErrorOf(status) == DialError::kRefused);
}

TEST_CASE_METHOD(DialFixture, "Dial goes on at once to the next address when one fails",
                 "[dialer]") {
  const ClosedPort closed;
  const OpenPort open;
  const MonotonicTime start = MonotonicNow();
  Start({closed.address(), V4(1, "0.0.0.0"), open.address()});
  REQUIRE(Result().ok());
  CHECK(MonotonicNow() - start < 450ms);  // not 250 ms for each of the two
  CHECK((*Result())->PeerName() == open.address().ToString());
}

TEST_CASE_METHOD(DialFixture, "Dial reports the failure of the first address when all fail",
                 "[dialer]") {
  const ClosedPort closed;
  Start({closed.address(), V4(1, "0.0.0.0")});
  const absl::Status status = Result().status();
  CHECK(absl::IsUnavailable(status));
  CHECK(status.message() ==
        "dial " + closed.address().ToString() + " (and 1 more): connection refused");
}

TEST_CASE_METHOD(DialFixture, "Dial refuses an undialable address and an empty list", "[dialer]") {
  SECTION("0.0.0.0, which Linux would take for this machine") {
    const OpenPort open;
    Start({V4(open.address().port(), "0.0.0.0")});
    CHECK(Result().status().message() == "dial 0.0.0.0:" + std::to_string(open.address().port()) +
                                             ": not an address that can be dialled");
  }
  SECTION("multicast") { Start({V4(1, "224.0.0.1")}); }
  SECTION("nothing") { Start({}); }
  CHECK(absl::IsInvalidArgument(Result().status()));
  CHECK(DialErrorOf(Result().status()) == DialError::kOther);
}

TEST_CASE_METHOD(DialFixture, "Dial gives up when the time is over", "[dialer]") {
  const BlackHole hole;
  Start({hole.address()}, 100ms);
  const absl::Status status = Result().status();
  CHECK(absl::IsDeadlineExceeded(status));
  CHECK(status.message() == "dial " + hole.address().ToString() + ": timed out");
  CHECK(DialErrorOf(status) == DialError::kTimeout);
}

TEST_CASE_METHOD(DialFixture, "Dial tries the next address 250 ms after one that does not answer",
                 "[dialer][slow]") {
  const BlackHole hole;
  const OpenPort open;
  const MonotonicTime start = MonotonicNow();
  Start({hole.address(), open.address()});
  REQUIRE(Result().ok());
  CHECK(MonotonicNow() - start >= 249ms);
  CHECK((*Result())->PeerName() == open.address().ToString());
}

TEST_CASE_METHOD(DialFixture, "Dial waits for an address that is slow after the others have failed",
                 "[dialer]") {
  const BlackHole hole;
  const ClosedPort closed;
  Start({closed.address(), hole.address()}, 100ms);
  CHECK(absl::IsDeadlineExceeded(Result().status()));
}

TEST_CASE_METHOD(DialFixture, "Dial takes turns between IPv4 and IPv6", "[dialer]") {
  const ClosedPort closed;
  const OpenPort open_v4;
  auto v6 = Listener::Bind(loop, *Address::FromLiteral("::1", 0), [](auto) {});
  REQUIRE(v6.ok());
  Start({closed.address(), open_v4.address(), (*v6)->address()});
  REQUIRE(Result().ok());
  CHECK((*Result())->PeerName() == (*v6)->address().ToString());
}

TEST_CASE_METHOD(DialFixture, "Dial destroyed before its outcome never calls back", "[dialer]") {
  const BlackHole hole;
  const OpenPort open;
  const ClosedPort closed;
  const int which = GENERATE(0, 1, 2);
  const Address targets[] = {hole.address(), open.address(), closed.address()};
  Start({targets[which]}, 20ms);
  SECTION("at once") {}
  SECTION("after a turn") {
    loop.RunUntil([turns = 0]() mutable { return ++turns > 1; }, 1s);
    result.reset();
  }
  dial.reset();
  CHECK_FALSE(loop.RunUntil([&] { return result.has_value(); }, 50ms));
}

TEST_CASE("Dial may be destroyed in its callback", "[dialer]") {
  EventLoop loop;
  const BlackHole hole;
  const OpenPort open;
  const ClosedPort closed;
  const int which = GENERATE(0, 1, 2);
  const Address targets[] = {hole.address(), open.address(), closed.address()};
  std::unique_ptr<Dial> dial;
  dial = std::make_unique<Dial>(loop, std::vector<Address>{targets[which]}, 50ms,
                                [&](auto) { dial.reset(); });
  CHECK(loop.RunUntil([&] { return dial == nullptr; }, 5s));
}

TEST_CASE("DialErrorOf tells the kinds apart", "[dialer]") {
  const auto [status, kind] = GENERATE(table<absl::Status, DialError>({
      {ErrnoStatus(ECONNREFUSED, "dial"), DialError::kRefused},
      {ErrnoStatus(ENETUNREACH, "dial"), DialError::kUnreachable},
      {ErrnoStatus(EHOSTUNREACH, "dial"), DialError::kUnreachable},
      {ErrnoStatus(ETIMEDOUT, "dial"), DialError::kTimeout},
      {absl::DeadlineExceededError("dial"), DialError::kTimeout},
      {ErrnoStatus(EACCES, "dial"), DialError::kOther},
      {absl::UnavailableError("dial"), DialError::kOther},
      {absl::OkStatus(), DialError::kOther},
  }));
  CHECK(DialErrorOf(status) == kind);
}

}  // namespace
}  // namespace culvert::net
