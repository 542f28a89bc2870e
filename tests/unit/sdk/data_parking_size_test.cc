// How many connections DataParking has, and dials at a time.
#include "tests/unit/sdk/parking_fixture.h"

namespace culvert {
namespace {

TEST_CASE_METHOD(ParkingFixture, "DataParking dials some at a time, and all in the end",
                 "[parking]") {
  parking->Start(Port());
  parking->NoteOpening();
  REQUIRE(Until([this] { return asked.size() == 1; }));
  Lend(3 * DataParking::kMostDialling);
  CHECK(parking->dialling() == DataParking::kMostDialling);
  REQUIRE(Until([this] { return parking->size() == 3 * DataParking::kMostDialling; }));
  CHECK(parking->dialling() == 0);
}

struct Shrinking : ParkingFixture {
  static DataParking::Times Soon() {
    DataParking::Times times;
    times.check = 5ms;
    times.unneeded = 300ms;
    return times;
  }
  Shrinking() : ParkingFixture(Soon()) {
    ParkTwo();
    while (parking->Take()) {
    }
    REQUIRE(Until([this] { return asked.size() == 2; }));
    Lend(asked.back());
    REQUIRE(Until([this] { return parking->size() == 4; }));
  }
};

TEST_CASE_METHOD(Shrinking, "DataParking that was not needed for a while is halved, down to two",
                 "[parking]") {
  CHECK(Until([this] { return parking->size() == 2; }));
  Settle(400ms);
  CHECK(parking->size() == 2);
  CHECK(asked.size() == 2);
}

}  // namespace
}  // namespace culvert
