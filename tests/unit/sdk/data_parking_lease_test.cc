// How DataParking asks for tokens.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/listener.h"
#include "net/unique_fd.h"
#include "sdk/data_parking.h"
#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;

// With a data port that takes everybody.
struct LeaseFixture {
  net::EventLoop loop;
  std::vector<net::UniqueFd> accepted;
  std::unique_ptr<net::FdListener> port =
      *net::FdListener::Bind(loop, *net::Address::FromLiteral("127.0.0.1", 0),
                             [this](int fd, const net::Address&) { accepted.emplace_back(fd); });
  std::vector<uint32_t> asked;
  DataParking parking{loop, [this](uint32_t count) { asked.push_back(count); }};
  uint64_t last_id = 0;

  // With four connections parked, and wanted.
  LeaseFixture() {
    parking.Start(port->address());
    parking.NoteOpening();
    REQUIRE(loop.RunUntil([this] { return asked == std::vector<uint32_t>{2}; }, 5s));
    Lend(2);
    CHECK(parking.Take().has_value());
    CHECK(parking.Take().has_value());
    REQUIRE(loop.RunUntil([this] { return asked.size() == 2; }, 5s));
    CHECK(asked.back() == 4);
  }

  void Lend(size_t count) {
    culvert::v1::LeaseDataResponse response;
    for (size_t i = 0; i < count; ++i) {
      response.add_leases()->set_token(std::string(32, 't'));
      response.mutable_leases(static_cast<int>(i))->set_parked_id(++last_id);
    }
    const size_t before = parking.size();
    parking.TakeLeases(response);
    REQUIRE(loop.RunUntil([&] { return parking.size() == before + count; }, 5s));
  }
};

TEST_CASE_METHOD(LeaseFixture, "DataParking asks for several tokens at once", "[parking]") {
  Lend(4);
  CHECK(parking.Take().has_value());
  bool turned = false;
  loop.Post([this, &turned] { loop.Post([&turned] { turned = true; }); });
  REQUIRE(loop.RunUntil([&] { return turned; }, 5s));
  CHECK(asked.size() == 2);
  CHECK(parking.Take().has_value());
  REQUIRE(loop.RunUntil([this] { return asked.size() == 3; }, 5s));
  CHECK(asked.back() == 2);
}

TEST_CASE_METHOD(LeaseFixture,
                 "DataParking asks a broker that has lent before again within milliseconds",
                 "[parking]") {
  Lend(0);
  const MonotonicTime start = loop.Now();
  REQUIRE(loop.RunUntil(
      [this] {
        parking.NoteOpening();
        return asked.size() == 3;
      },
      4s));
  CHECK(loop.Now() - start >= DataParking::kFirstLeaseWait);
  CHECK(asked.back() == 4);
}

}  // namespace
}  // namespace culvert
