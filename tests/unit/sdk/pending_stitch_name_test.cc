// PendingStitch of a channel that has no name yet, and the end that it meets.
#include "tests/unit/sdk/pending_fixture.h"

namespace culvert {
namespace {

struct UnnamedFixture : PendingFixture {
  static PendingStitch::Meeting Unnamed() {
    PendingStitch::Meeting meeting;
    meeting.window = 1'000;
    meeting.early = Bytes(std::string("early"));
    return meeting;
  }
};

TEST_CASE_METHOD(UnnamedFixture, "PendingStitch waits for the name of its channel", "[stitch]") {
  Open(Unnamed());
  CHECK_FALSE(pending->is_named());
  SECTION("which comes after the other end's Hello") {
    Say(HelloOf(7));
    Settle();
    CHECK(done.empty());
    pending->Name(7, 5s);
    REQUIRE(done.size() == 1);
  }
  SECTION("which comes before it") {
    pending->Name(7, 5s);
    Settle();
    CHECK(done.empty());
    Say(HelloOf(7));
    REQUIRE(Done());
  }
  REQUIRE(done[0].ok());
  CHECK(done[0]->window == 65'536);
  const std::string heard = test::ReadNow(peer.get()).bytes;
  const auto header = stitch::DecodeHeader(heard);
  REQUIRE(header.ok());
  StitchHello own;
  REQUIRE(own.ParseFromString(heard.substr(stitch::kHeaderBytes, header->length)));
  CHECK(own.channel_id() == 0);
  CHECK(own.attempt() == 1);
  CHECK(own.window() == 1'000);
  const auto first = stitch::DecodeHeader(heard.substr(stitch::kHeaderBytes + header->length));
  REQUIRE(first.ok());
  CHECK(first->type == FrameType::kData);
  CHECK(first->id == 1);
  CHECK(heard.substr(heard.size() - 5) == "early");
}

TEST_CASE_METHOD(UnnamedFixture, "PendingStitch takes no Hello of another channel than is named",
                 "[stitch]") {
  Open(Unnamed());
  SECTION("heard before") {
    SECTION("another one") { Say(HelloOf(8)); }
    SECTION("none") { Say(HelloOf(0)); }
    SECTION("another attempt") { Say(HelloOf(7, 2)); }
    Settle();
    pending->Name(7, 5s);
  }
  SECTION("heard after") {
    pending->Name(7, 5s);
    SECTION("another one") { Say(HelloOf(8)); }
    SECTION("none") { Say(HelloOf(0)); }
  }
  CheckRefused(absl::StatusCode::kDataLoss);
}

TEST_CASE_METHOD(UnnamedFixture, "PendingStitch tells of a lost connection once it has a name",
                 "[stitch]") {
  Open(Unnamed());
  SECTION("lost before the Hello") { peer.Reset(); }
  SECTION("lost after it") {
    Say(HelloOf(7));
    Settle();
    peer.Reset();
  }
  Settle();
  CHECK(done.empty());
  pending->Name(7, 5s);
  REQUIRE(done.size() == 1);
  CHECK_FALSE(done[0].ok());
}

TEST_CASE_METHOD(UnnamedFixture, "PendingStitch counts the time for a Hello from the name on",
                 "[stitch]") {
  Open(Unnamed(), 60s);
  pending->Name(7, 20ms);
  CheckRefused(absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE_METHOD(UnnamedFixture, "PendingStitch may be destroyed by what Name says", "[stitch]") {
  on_done = [this] { pending.reset(); };
  Open(Unnamed());
  SECTION("of a Hello") { Say(HelloOf(7)); }
  SECTION("of a wrong one") { Say(HelloOf(8)); }
  SECTION("of the end") { peer.Close(); }
  Settle();
  pending->Name(7, 5s);
  CHECK(done.size() == 1);
  Settle();
  CHECK(done.size() == 1);
}

TEST_CASE_METHOD(PendingFixture, "PendingStitch of a provider takes a Hello without a channel",
                 "[stitch]") {
  PendingStitch::Meeting meeting = Meeting();
  meeting.own_role = HelloRole::kProvider;
  StitchHello hello = HelloOf(0);
  hello.set_last_message_id(0);
  SECTION("of a first attempt") {
    Open(meeting);
    Say(hello);
    REQUIRE(Done());
    CHECK(done[0].ok());
  }
  SECTION("and not of another one") {
    meeting.attempt = 2;
    hello.set_attempt(2);
    Open(meeting);
    Say(hello);
    CheckRefused(absl::StatusCode::kDataLoss);
  }
  SECTION("and not for a channel that has carried something") {
    hello.set_last_message_id(1);
    Open(meeting);
    Say(hello);
    CheckRefused(absl::StatusCode::kDataLoss);
  }
  SECTION("and not for one that has a key, even with it") {
    meeting.key = &key;
    Open(meeting);
    SayAs(HelloRole::kConsumer, hello, key);
    CheckRefused(absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace culvert
