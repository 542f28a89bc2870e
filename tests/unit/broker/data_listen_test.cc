#include "broker/data_listen.h"

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "net/listener.h"
#include "net/loop_thread.h"
#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using Kind = config::DataPortChoice::Kind;

struct DataListenFixture {
  DataListenFixture() {
    thread.Run([&] { plane = *DataPlane::Start(thread.loop(), {}); });
  }
  ~DataListenFixture() {
    thread.Run([&] {
      taken.clear();
      plane.reset();
    });
  }
  DataListenFixture(const DataListenFixture&) = delete;
  DataListenFixture& operator=(const DataListenFixture&) = delete;

  static net::Address At(const std::string& ip, uint16_t port) {
    return *net::Address::FromLiteral(ip, port);
  }
  // Another program has it; of port 0 the one that the kernel chose.
  uint16_t TakePort(uint16_t port) {
    uint16_t bound = 0;
    thread.Run([&] {
      auto listener = net::FdListener::Bind(thread.loop(), At("127.0.0.1", port),
                                            [](int, const net::Address&) {});
      REQUIRE(listener.ok());
      bound = (*listener)->address().port();
      taken.push_back(*std::move(listener));
    });
    return bound;
  }
  absl::Status Listen(const config::DataPortChoice& choice,
                      const std::vector<net::Address>& control) {
    absl::Status listening;
    thread.Run([&] {
      listening = ListenForData(*plane, choice, control);
      addresses = plane->addresses();
    });
    return listening;
  }

  net::LoopThread thread;
  std::unique_ptr<DataPlane> plane;
  std::vector<std::unique_ptr<net::FdListener>> taken;
  std::vector<net::Address> addresses;
};

TEST_CASE_METHOD(DataListenFixture, "A data port that nobody named gives way to who has it",
                 "[data_listen]") {
  const uint16_t busy = TakePort(0);
  const auto own = static_cast<uint16_t>(busy - 1);
  REQUIRE(Listen({}, {At("127.0.0.1", own)}).ok());
  REQUIRE(addresses.size() == 1);
  CHECK(addresses[0].port() != busy);
  CHECK(addresses[0].port() != 0);
}

TEST_CASE_METHOD(DataListenFixture,
                 "A data port that was named and is taken is an error that says so",
                 "[data_listen]") {
  const uint16_t busy = TakePort(0);
  const absl::Status listening = Listen({Kind::kPort, busy}, {At("127.0.0.1", 1)});
  CHECK(MessageOf(listening).find("data port: ") == 0);
  CHECK(MessageOf(listening).find(At("127.0.0.1", busy).ToString()) != std::string::npos);
  CHECK(addresses.empty());
}

TEST_CASE_METHOD(DataListenFixture, "A data port is one of all addresses, and bound once at each",
                 "[data_listen]") {
  const std::vector<net::Address> control = {At("127.0.0.1", 7), At("127.0.0.2", 7),
                                             At("127.0.0.1", 8)};
  REQUIRE(Listen({Kind::kPort, 0}, control).ok());
  REQUIRE(addresses.size() == 2);
  CHECK(addresses[0].port() == addresses[1].port());
  CHECK(addresses[0].ip() == "127.0.0.1");
  CHECK(addresses[1].ip() == "127.0.0.2");
}

TEST_CASE_METHOD(DataListenFixture, "A data port at all addresses is not bound at one of them too",
                 "[data_listen]") {
  REQUIRE(Listen({Kind::kPort, 0}, {At("127.0.0.1", 7), At("0.0.0.0", 8)}).ok());
  REQUIRE(addresses.size() == 1);
  CHECK(addresses[0].ip() == "0.0.0.0");
}

}  // namespace
}  // namespace culvert::broker
