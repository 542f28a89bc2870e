#include "tests/unit/sdk/parking_fixture.h"

namespace culvert {
namespace {

TEST_CASE_METHOD(ParkingFixture, "DataParking parks nothing before a channel is opened",
                 "[parking]") {
  parking->Start(Port());
  Settle();
  CHECK(asked.empty());
  CHECK(!parking->Take());
  Settle();
  CHECK(parking->size() == 0);
}

TEST_CASE_METHOD(ParkingFixture,
                 "DataParking parks two with the first opening, each with its token", "[parking]") {
  ParkTwo();
  CHECK(Accept(2) == std::vector{Token(1), Token(2)});
  Settle();
  for (const auto& [token, fd] : taken) CHECK(test::ReadNow(fd.get()).bytes.empty());
  CHECK(asked.size() == 1);
}

TEST_CASE_METHOD(ParkingFixture,
                 "DataParking doubles when all are taken, up to its limit, and refills",
                 "[parking]") {
  ParkTwo();
  for (const size_t next :
       {size_t{4}, size_t{8}, size_t{16}, size_t{32}, DataParking::kMost, DataParking::kMost}) {
    CAPTURE(next);
    for (size_t left = parking->size(); left > 0; --left) {
      std::optional<DataParking::Parked> taken_now = parking->Take();
      REQUIRE(taken_now);
      CHECK(taken_now->stream != nullptr);
    }
    REQUIRE(Until([this] { return asked.size() > 1; }));
    CHECK(asked.back() == next);
    Lend(asked.back());
    REQUIRE(Until([&] { return parking->size() == next; }));
    asked.resize(1);
  }
}

TEST_CASE_METHOD(ParkingFixture, "DataParking replaces one that was taken", "[parking]") {
  ParkTwo();
  const auto oldest = parking->Take();
  REQUIRE(oldest);
  CHECK(oldest->id == 1);
  REQUIRE(Until([this] { return asked.size() == 2; }));
  CHECK(asked[1] == 1);
}

TEST_CASE_METHOD(ParkingFixture, "DataParking gives out the one that is named", "[parking]") {
  ParkTwo();
  CHECK(!parking->TakeById(99));
  const auto named = parking->TakeById(2);
  REQUIRE(named);
  CHECK(named->id == 2);
  CHECK(!parking->TakeById(2));
  CHECK(parking->size() == 1);
}

TEST_CASE_METHOD(ParkingFixture, "DataParking ends what is parked with the control stream",
                 "[parking]") {
  ParkTwo();
  Accept(2);
  parking->Stop();
  CHECK(parking->size() == 0);
  CHECK(!parking->is_started());
  CHECK(Until([this] {
    const test::PeerRead read = test::ReadNow(taken.begin()->second.get());
    return read.eof || read.error != 0;
  }));
  // Nothing is asked for, and what was lent by then is of no use.
  parking->NoteOpening();
  Lend(2);
  Settle();
  CHECK(asked.size() == 1);
  CHECK(parking->size() == 0);
  // Another control stream brings others.
  parking->Start(Port());
  REQUIRE(Until([this] { return asked.size() == 2; }));
}

TEST_CASE_METHOD(ParkingFixture, "DataParking drops a connection that breaks", "[parking]") {
  ParkTwo();
  Accept(2);
  taken[Token(1)].Reset();
  REQUIRE(Until([this] { return parking->size() == 1; }));
  CHECK(parking->Take()->id == 2);
}

TEST_CASE_METHOD(ParkingFixture, "DataParking gives out no connection that has ended",
                 "[parking]") {
  ParkTwo();
  Accept(2);
  taken[Token(1)].Close();
  const auto live = parking->Take();
  REQUIRE(live);
  CHECK(live->id == 2);
  CHECK(!parking->TakeById(1));
  CHECK(parking->size() == 0);
}

TEST_CASE_METHOD(ParkingFixture, "DataParking keeps one that has heard something early",
                 "[parking]") {
  ParkTwo();
  Accept(2);
  test::SendAll(taken[Token(1)].get(), "early");
  taken[Token(1)].Close();
  Settle();
  CHECK(parking->Take()->id == 1);
}

TEST_CASE_METHOD(ParkingFixture, "DataParking keeps no more than its limit, whatever it is lent",
                 "[parking]") {
  parking->Start(Port());
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 1; }));
  Lend(200);
  REQUIRE(Until([this] { return parking->size() == DataParking::kMost; }));
  Lend(5);
  Settle();
  CHECK(parking->size() == DataParking::kMost);
}

TEST_CASE_METHOD(ParkingFixture, "DataParking dials for no token that it has not asked for",
                 "[parking]") {
  parking->Start(Port());
  Lend(2);
  Settle();
  CHECK(parking->size() == 0);
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 1; }));
  Lend(1);
  REQUIRE(Until([this] { return parking->size() == 1; }));
  Lend(2);
  Settle();
  CHECK(parking->size() == 1);
}

TEST_CASE_METHOD(ParkingFixture, "DataParking takes no token of another size", "[parking]") {
  parking->Start(Port());
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 1; }));
  LeaseDataResponse response = Leases(3);
  response.mutable_leases(0)->set_token("short");
  response.mutable_leases(1)->set_token(std::string(kTokenBytes + 1, 't'));
  parking->TakeLeases(response);
  REQUIRE(Until([this] { return parking->size() == 1; }));
  Settle();
  CHECK(parking->size() == 1);
  CHECK(parking->Take()->id == 3);
}

TEST_CASE_METHOD(ParkingFixture,
                 "DataParking that is lent fewer asks for the rest with the next opening",
                 "[parking]") {
  parking->Start(Port());
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 1; }));
  Lend(1);
  REQUIRE(Until([this] { return parking->size() == 1; }));
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 2; }));
  CHECK(asked[1] == 1);
}

struct QuickParking : ParkingFixture {
  static DataParking::Times Times() {
    DataParking::Times times;
    times.first_retry = 80ms;
    times.last_retry = 160ms;
    times.no_lease = 80ms;
    times.idle = 150ms;
    times.max_age = 60ms;
    times.check = 10ms;
    times.dial = 80ms;
    return times;
  }
  QuickParking() : ParkingFixture(Times()) {}

  // How long nothing is asked for, however many channels are opened.
  Duration Silence() {
    const size_t before = asked.size();
    const MonotonicTime start = loop.Now();
    CHECK(Until([&] {
      parking->NoteOpening();
      return asked.size() > before;
    }));
    return loop.Now() - start;
  }
};

TEST_CASE_METHOD(QuickParking,
                 "DataParking leaves a data port that cannot be reached, longer each time",
                 "[parking]") {
  const net::Address closed = Port();
  listener.Close();
  parking->Start(closed);
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 1; }));
  Lend(2);
  Settle(10ms);  // refused
  CHECK(Silence() > 50ms);
  Lend(2);
  Settle(10ms);
  CHECK(Silence() > 120ms);
  Lend(2);
  Settle(10ms);
  const Duration longest = Silence();
  CHECK(longest > 120ms);
  CHECK(longest < 300ms);
  CHECK(parking->size() == 0);
}

TEST_CASE_METHOD(QuickParking,
                 "DataParking that was told that the port is no use drops what it has",
                 "[parking]") {
  ParkTwo();
  parking->GiveUpPort(absl::UnavailableError("the other end did not come"));
  CHECK(parking->size() == 0);
  CHECK(!parking->Take());
  CHECK(Silence() > 50ms);
}

TEST_CASE_METHOD(QuickParking, "DataParking asks a broker that lends nothing again later",
                 "[parking]") {
  parking->Start(Port());
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 1; }));
  Lend(0);
  CHECK(Silence() > 50ms);
}

TEST_CASE_METHOD(QuickParking, "DataParking replaces what is old while channels are opened",
                 "[parking]") {
  ParkTwo();
  Accept(2);
  REQUIRE(Until([this] {
    parking->NoteOpening();
    return asked.size() == 2;
  }));
  CHECK(asked[1] == 2);
  Lend(2);
  REQUIRE(Until([this] { return parking->size() == 2; }));
  CHECK(parking->Take()->id > 2);
}

TEST_CASE_METHOD(QuickParking, "DataParking replaces what has ended", "[parking]") {
  ParkTwo();
  Accept(2);
  taken.clear();
  REQUIRE(Until([this] {
    parking->NoteOpening();
    return asked.size() == 2;
  }));
  CHECK(asked[1] == 2);
}

TEST_CASE_METHOD(QuickParking, "DataParking gives the pool up when nothing is opened",
                 "[parking]") {
  ParkTwo();
  REQUIRE(Until([this] {
    for (; asked.size() > 1; asked.pop_back()) Lend(asked.back());
    return parking->size() == 0;
  }));
  // Once replaced they would still go: nothing more is asked for.
  Settle(200ms);
  for (; asked.size() > 1; asked.pop_back()) Lend(asked.back());
  Settle(200ms);
  CHECK(parking->size() == 0);
  CHECK(asked.size() == 1);
  // The next opening brings the first two again.
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 2; }));
  CHECK(asked[1] == 2);
}

TEST_CASE_METHOD(ParkingFixture, "DataParking that is destroyed while it dials tells nobody",
                 "[parking]") {
  parking->Start(Port());
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 1; }));
  Lend(2);
  parking.reset();
  Settle();
  CHECK(asked.size() == 1);
}

}  // namespace
}  // namespace culvert
