// How a StitchPath ends: in order, or lost.
#include "tests/unit/stitch/path_fixture.h"

namespace culvert::stitch {
namespace {

using test::SendAll;

TEST_CASE("StitchPath ends in order once both ends have finished", "[stitch_path]") {
  PathPair pair;
  pair.one.Send(DataOf(1, test::Pattern(200'000)));
  pair.one.Send(tunnel::Close{2});
  pair.one.Call([&] { pair.one.path->Finish(); });
  pair.other.on_message = [&] {
    if (pair.other.messages.size() < 2) return;
    pair.other.Send(tunnel::Ack{2, 0});
    pair.other.Call([&] { pair.other.path->Finish(); });
  };
  CHECK(pair.Until([&] { return pair.one.ends.size() + pair.other.ends.size() == 2; }));
  CHECK(pair.one.ends.at(0).ok());
  CHECK(pair.other.ends.at(0).ok());
  CHECK(pair.other.bytes.size() == 200'000);
  CHECK(pair.one.messages == std::vector<std::string>{"Ack 2 (window 0)"});
}

TEST_CASE("StitchPath ends in order when both ends finish at once", "[stitch_path]") {
  PathPair pair;
  pair.one.Send(tunnel::Close{1});
  pair.other.Send(tunnel::Close{1});
  pair.one.Call([&] { pair.one.path->Finish(); });
  pair.other.Call([&] { pair.other.path->Finish(); });
  CHECK(pair.Until([&] { return pair.one.ends.size() + pair.other.ends.size() == 2; }));
  CHECK(pair.one.ends.at(0).ok());
  CHECK(pair.other.ends.at(0).ok());
  CHECK(pair.one.messages.size() == 1);
  CHECK(pair.other.messages.size() == 1);
}

TEST_CASE_METHOD(PathFixture, "StitchPath sends FIN after what was sent, when it finishes",
                 "[stitch_path]") {
  OpenUp();
  end.Send(DataOf(1, "last words"));
  end.Send(tunnel::Ack{1, 2});
  end.path->Finish();
  CHECK_FALSE(end.path->ready());
  CHECK(Until([&] {
    Received();
    return eof;
  }));
  CHECK(received == FrameBytes(DataOf(1, "last words")) + FrameBytes(tunnel::Ack{1, 2}));

  // What the peer still says is heard.
  SendAll(peer.get(), FrameBytes(tunnel::Ack{1, 5}));
  CHECK(Until([&] { return end.messages.size() == 1; }));
  CHECK(end.ends.empty());
  shutdown(peer.get(), SHUT_WR);
  CHECK(Until([&] { return !end.ends.empty(); }));
  CHECK(end.ends.at(0).ok());
}

TEST_CASE_METHOD(PathFixture, "StitchPath that both ends finished leaves what it sent last to TCP",
                 "[stitch_path]") {
  OpenUp();
  SendAll(peer.get(), FrameBytes(tunnel::Close{1}));
  shutdown(peer.get(), SHUT_WR);
  end.on_message = [&] {
    end.Send(DataOf(1, test::Pattern(200'000)));
    end.path->Finish();
  };
  end.on_end = [&] { end.path.reset(); };
  CHECK(Until([&] { return !end.ends.empty(); }));
  CHECK(end.ends.at(0).ok());
  CHECK(Until([&] {
    Received();
    return eof || error != 0;
  }));
  CHECK(received.size() == kHeaderBytes + 200'000);
  CHECK(error == 0);
}

TEST_CASE_METHOD(PathFixture, "StitchPath is lost when the peer ends it out of order",
                 "[stitch_path]") {
  SECTION("before Hello") {
    Open();
    shutdown(peer.get(), SHUT_WR);
  }
  SECTION("in a header") {
    OpenUp();
    SendAll(peer.get(), FrameBytes(DataOf(1, "x")).substr(0, 5));
    shutdown(peer.get(), SHUT_WR);
  }
  SECTION("in a body") {
    OpenUp();
    SendAll(peer.get(), FrameBytes(DataOf(1, "body")).substr(0, kHeaderBytes + 3));
    shutdown(peer.get(), SHUT_WR);
  }
  SECTION("in a body, after we have finished") {
    OpenUp();
    end.path->Finish();
    SendAll(peer.get(), FrameBytes(DataOf(1, "body")).substr(0, kHeaderBytes + 3));
    shutdown(peer.get(), SHUT_WR);
  }
  SECTION("between two messages") {
    OpenUp();
    SendAll(peer.get(), FrameBytes(DataOf(1, "x")));
    shutdown(peer.get(), SHUT_WR);
  }
  SECTION("with a reset") {
    OpenUp();
    peer.Reset();
  }
  SECTION("with a reset, after both have finished") {
    OpenUp();
    end.path->Finish();
    Settle();
    peer.Reset();
  }
  CHECK(Until([&] { return !end.ends.empty(); }));
  CHECK(absl::IsUnavailable(end.ends.at(0)));
  Settle();
}

TEST_CASE("StitchPath that is destroyed is lost for the peer, never ended in order",
          "[stitch_path]") {
  PathPair pair;
  SECTION("up") {}
  SECTION("when the peer has finished") {
    pair.other.path->Finish();
    pair.loop.RunUntil([] { return false; }, 20ms);
    REQUIRE(pair.one.ends.size() == 1);  // which was out of order
  }
  pair.one.path.reset();
  CHECK(pair.Until([&] { return !pair.other.ends.empty(); }));
  CHECK(absl::IsUnavailable(pair.other.ends.at(0)));
}

}  // namespace
}  // namespace culvert::stitch
