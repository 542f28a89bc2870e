#include "tests/unit/sdk/pending_fixture.h"

namespace culvert {
namespace {

TEST_CASE_METHOD(PendingFixture,
                 "PendingStitch gives the path out when the other end has said Hello", "[stitch]") {
  Open(Meeting());
  Settle();
  CHECK(done.empty());
  Say(HelloOf(7));
  CHECK(done.empty());
  REQUIRE(Done());
  REQUIRE(done[0].ok());
  CHECK(done[0]->path != nullptr);
  CHECK(done[0]->last_id == 11);
  CHECK(done[0]->window == 65'536);
  CHECK(done[0]->resume_timeout_s == 60);
  // The own Hello has gone out at once.
  const std::string heard = test::ReadNow(peer.get()).bytes;
  const auto header = stitch::DecodeHeader(heard);
  REQUIRE(header.ok());
  CHECK(header->type == FrameType::kHello);
  StitchHello own;
  REQUIRE(own.ParseFromString(heard.substr(stitch::kHeaderBytes, header->length)));
  CHECK(own.channel_id() == 7);
  CHECK(own.last_message_id() == 3);
  CHECK(own.window() == 1'000);
  CHECK(own.mac().empty());
}

TEST_CASE_METHOD(PendingFixture, "PendingStitch keeps no path for another channel or attempt",
                 "[stitch]") {
  Open(Meeting());
  SECTION("another channel") { Say(HelloOf(8)); }
  SECTION("no channel") { Say(HelloOf(0)); }
  SECTION("an earlier attempt") { Say(HelloOf(7, 0)); }
  SECTION("a later attempt") { Say(HelloOf(7, 2)); }
  CheckRefused(absl::StatusCode::kDataLoss);
}

TEST_CASE_METHOD(PendingFixture,
                 "PendingStitch wants the other end's key of a channel that has one", "[stitch]") {
  PendingStitch::Meeting meeting = Meeting();
  meeting.key = &key;
  Open(meeting);
  SECTION("which it shows") {
    SayAs(HelloRole::kProvider, HelloOf(7), key);
    REQUIRE(Done());
    CHECK(done[0].ok());
  }
  SECTION("and not none") {
    Say(HelloOf(7));
    CheckRefused(absl::StatusCode::kDataLoss);
  }
  SECTION("and not another one") {
    SayAs(HelloRole::kProvider, HelloOf(7), stitch::HelloKey());
    CheckRefused(absl::StatusCode::kDataLoss);
  }
  SECTION("and not what this end said itself") {
    SayAs(HelloRole::kConsumer, HelloOf(7), key);
    CheckRefused(absl::StatusCode::kDataLoss);
  }
  SECTION("and not that of another last id") {
    StitchHello hello = HelloOf(7);
    hello.set_mac(HelloMac(key, HelloRole::kProvider, hello));
    hello.set_last_message_id(12);
    Say(hello);
    CheckRefused(absl::StatusCode::kDataLoss);
  }
}

TEST_CASE_METHOD(PendingFixture, "PendingStitch shows its own key", "[stitch]") {
  PendingStitch::Meeting meeting = Meeting();
  meeting.key = &key;
  meeting.own_role = HelloRole::kProvider;
  Open(meeting);
  SayAs(HelloRole::kConsumer, HelloOf(7), key);
  REQUIRE(Done());
  REQUIRE(done[0].ok());
  const std::string heard = test::ReadNow(peer.get()).bytes;
  StitchHello own;
  REQUIRE(
      own.ParseFromString(heard.substr(stitch::kHeaderBytes, stitch::DecodeHeader(heard)->length)));
  CHECK(HasHelloMac(key, HelloRole::kProvider, own));
}

TEST_CASE_METHOD(PendingFixture, "PendingStitch gives up when nobody says Hello in time",
                 "[stitch]") {
  Open(Meeting(), 20ms);
  CheckRefused(absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE_METHOD(PendingFixture, "PendingStitch ends with a connection that ends before Hello",
                 "[stitch]") {
  Open(Meeting());
  SECTION("in order") { peer.Close(); }
  SECTION("by a reset") { peer.Reset(); }
  SECTION("in the middle of it") {
    test::SendAll(peer.get(),
                  FrameBytes(FrameType::kHello, HelloOf(7).SerializeAsString()).substr(0, 20));
    peer.Close();
  }
  REQUIRE(Done());
  CHECK_FALSE(done[0].ok());
  Settle();
  CHECK(done.size() == 1);
}

TEST_CASE_METHOD(PendingFixture, "PendingStitch takes no frame before Hello", "[stitch]") {
  Open(Meeting());
  test::SendAll(peer.get(), FrameBytes(FrameType::kPing, ""));
  CheckRefused(absl::StatusCode::kDataLoss);
}

TEST_CASE_METHOD(PendingFixture, "PendingStitch may be destroyed by what it says", "[stitch]") {
  on_done = [this] { pending.reset(); };
  SECTION("of a Hello") {
    Open(Meeting());
    Say(HelloOf(7));
    REQUIRE(Done());
    REQUIRE(done[0].ok());
    // The path is not its any more.
    test::ReadNow(peer.get());
    Settle();
    CHECK_FALSE(test::ReadNow(peer.get()).eof);
  }
  SECTION("of a wrong one") {
    Open(Meeting());
    Say(HelloOf(8));
    CheckRefused(absl::StatusCode::kDataLoss);
  }
  SECTION("of none") {
    Open(Meeting(), 20ms);
    CheckRefused(absl::StatusCode::kDeadlineExceeded);
  }
}

TEST_CASE_METHOD(PendingFixture,
                 "PendingStitch that is destroyed resets the connection and tells nobody",
                 "[stitch]") {
  Open(Meeting());
  Settle();
  pending.reset();
  Settle();
  CHECK(test::ReadNow(peer.get()).error == ECONNRESET);
  CHECK(done.empty());
}

}  // namespace
}  // namespace culvert
