#include "broker/data_port.h"

#include "base/log.h"
#include "tests/support/loopback.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using test::Fd;

const std::string kToken = "0123456789abcdefghijklmnopqrstuv";
const std::string kWrong(DataPort::kTokenBytes, '?');

// Takes kToken.
struct DataPortFixture {
  net::EventLoop loop;
  std::vector<net::UniqueFd> taken;
  int wrong = 0;
  DataPort port;

  explicit DataPortFixture(const DataPort::Limits& limits = DataPort::Limits())
      : port(loop, DataPort::Peers::kLoopback, limits,
             [this](std::string_view token, net::UniqueFd socket) {
               if (token != kToken) {
                 ++wrong;
                 return DataPort::Verdict::kWrong;
               }
               taken.push_back(std::move(socket));
               return DataPort::Verdict::kGood;
             }) {
    SetLogLevel(LogLevel::kOff);  // of warnings that are expected
    REQUIRE(port.Listen(*net::Address::FromLiteral("127.0.0.1", 0)).ok());
  }
  ~DataPortFixture() { SetLogLevel(LogLevel::kInfo); }

  Fd Dial(std::string_view first = "") {
    Fd fd = test::ConnectToLoopback(port.addresses().front().port());
    REQUIRE(fd.get() >= 0);
    if (!first.empty()) test::SendAll(fd.get(), first);
    return fd;
  }
  bool Until(const std::function<bool()>& done, Duration limit = 5s) {
    return loop.RunUntil(done, limit);
  }
  // Whether the port has closed it.
  bool IsClosed(const Fd& fd) {
    return Until([&] {
      const test::PeerRead read = test::ReadNow(fd.get());
      return read.eof || read.error != 0;
    });
  }
};

TEST_CASE("Data port passes on a socket whose token is good, and answers nothing", "[data_port]") {
  DataPortFixture test;
  const Fd client = test.Dial(kToken);
  REQUIRE(test.Until([&] { return test.taken.size() == 1; }));
  CHECK(test.port.waiting() == 0);
  CHECK(test.wrong == 0);
  const test::PeerRead read = test::ReadNow(client.get());
  CHECK(read.bytes.empty());
  CHECK_FALSE(read.eof);
}

TEST_CASE("Data port reads a token that comes in pieces", "[data_port]") {
  DataPortFixture test;
  const Fd client = test.Dial();
  for (size_t i = 0; i < kToken.size(); ++i) {
    CHECK(test.taken.empty());
    test::SendAll(client.get(), kToken.substr(i, 1));
    // So that each piece is read for itself.
    if (i == 0 || i == 30) CHECK_FALSE(test.Until([&] { return !test.taken.empty(); }, 20ms));
  }
  CHECK(test.Until([&] { return test.taken.size() == 1; }));
}

TEST_CASE("Data port reads no byte behind the token", "[data_port]") {
  DataPortFixture test;
  const Fd client = test.Dial(kToken + "early bytes");
  REQUIRE(shutdown(client.get(), SHUT_WR) == 0);
  REQUIRE(test.Until([&] { return test.taken.size() == 1; }));
  const test::PeerRead read = test::ReadNow(test.taken[0].get());
  CHECK(read.bytes == "early bytes");
  CHECK(read.eof);
}

TEST_CASE("Data port closes a socket whose token is wrong", "[data_port]") {
  DataPortFixture test;
  const Fd client = test.Dial(kWrong + "and more");
  CHECK(test.IsClosed(client));
  CHECK(test.wrong == 1);
  CHECK(test.port.waiting() == 0);
}

TEST_CASE("Data port closes a socket that ends or is reset before its token", "[data_port]") {
  const bool reset = GENERATE(false, true);
  DataPortFixture test;
  Fd client = test.Dial(kToken.substr(1));
  REQUIRE(test.Until([&] { return test.port.waiting() == 1; }));
  reset ? client.Reset() : client.Close();
  CHECK(test.Until([&] { return test.port.waiting() == 0; }, 2s));  // not only with its time
  CHECK(test.wrong == 0);
}

TEST_CASE("Data port waits so long for a token, and no longer than for the first byte",
          "[data_port]") {
  const std::string_view first = GENERATE("", "half a token");
  DataPortFixture test({.token_within = 100ms});
  const Fd silent = test.Dial(first);
  REQUIRE(test.Until([&] { return test.port.waiting() == 1; }));
  CHECK(test.IsClosed(silent));
  CHECK(test.port.waiting() == 0);
}

TEST_CASE("Data port has no deadline for a socket whose token was good", "[data_port]") {
  DataPortFixture test({.token_within = 100ms});
  const Fd client = test.Dial(kToken);
  REQUIRE(test.Until([&] { return test.taken.size() == 1; }));
  const Fd silent = test.Dial();
  CHECK(test.IsClosed(silent));  // by then the other's time was over, too
  test::SendAll(client.get(), "late");
  CHECK(test::ReadNow(test.taken[0].get()).bytes == "late");
}

TEST_CASE("Data port drops the oldest socket without a token when an address has too many",
          "[data_port]") {
  DataPortFixture test({.per_address = 2});
  const Fd oldest = test.Dial();
  REQUIRE(test.Until([&] { return test.port.waiting() == 1; }));
  const Fd second = test.Dial();
  REQUIRE(test.Until([&] { return test.port.waiting() == 2; }));
  const Fd third = test.Dial();
  CHECK(test.IsClosed(oldest));
  CHECK(test.port.waiting() == 2);
  test::SendAll(second.get(), kToken);
  test::SendAll(third.get(), kToken);
  CHECK(test.Until([&] { return test.taken.size() == 2; }));
}

TEST_CASE("Data port drops the oldest socket without a token when there are too many in all",
          "[data_port]") {
  DataPortFixture test({.per_address = 64, .most = 1});
  const Fd oldest = test.Dial();
  REQUIRE(test.Until([&] { return test.port.waiting() == 1; }));
  const Fd second = test.Dial();
  CHECK(test.IsClosed(oldest));
  CHECK(test.port.waiting() == 1);
}

TEST_CASE("Sockets with a good token are no burden to who has none", "[data_port]") {
  DataPortFixture test({.per_address = 2});
  std::vector<Fd> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(test.Dial(kToken));
    REQUIRE(test.Until([&] { return test.taken.size() == clients.size(); }));
  }
  CHECK(test::ReadNow(clients[0].get()).eof == false);
}

TEST_CASE("Data port delays an address whose tokens were wrong", "[data_port]") {
  DataPortFixture test({.wrong = {.per_second = 5, .burst = 2}});
  for (int i = 0; i < 2; ++i) CHECK(test.IsClosed(test.Dial(kWrong)));
  const MonotonicTime start = MonotonicNow();
  const Fd client = test.Dial(kToken);
  REQUIRE(test.Until([&] { return test.taken.size() == 1; }));
  CHECK(MonotonicNow() - start > 100ms);  // 200 ms at 5 a second, less the dials
  CHECK(test.wrong == 2);
}

TEST_CASE("A delay does not outlast the deadline", "[data_port]") {
  DataPortFixture test({.token_within = 200ms, .wrong = {.per_second = 0.01, .burst = 1}});
  CHECK(test.IsClosed(test.Dial(kWrong)));
  CHECK(test.IsClosed(test.Dial(kToken)));
  CHECK(test.taken.empty());
  CHECK(test.port.waiting() == 0);
}

TEST_CASE("Data port goes away with sockets in every state", "[data_port]") {
  auto test = std::make_unique<DataPortFixture>(
      DataPort::Limits{.wrong = {.per_second = 0.01, .burst = 1}});
  CHECK(test->IsClosed(test->Dial(kWrong)));
  const Fd silent = test->Dial();
  const Fd half = test->Dial("half");
  const Fd delayed = test->Dial(kToken);
  REQUIRE(test->Until([&] { return test->port.waiting() == 3; }));
  test.reset();
  CHECK(test::ReadNow(silent.get()).eof);
}

TEST_CASE("Limits count an IPv4 address, and the /64 of an IPv6 address", "[data_port]") {
  const auto group = [](std::string_view ip, uint16_t port) {
    return AddressGroup(*net::Address::FromLiteral(ip, port));
  };
  CHECK(group("192.0.2.1", 1) == group("192.0.2.1", 2));
  CHECK(group("192.0.2.1", 1) != group("192.0.2.2", 1));
  CHECK(group("2001:db8:1:2::1", 1) == group("2001:db8:1:2:ffff::9", 2));
  CHECK(group("2001:db8:1:2::1", 1) != group("2001:db8:1:3::1", 1));
}

}  // namespace
}  // namespace culvert::broker
