// A StitchPath may be destroyed at any point, also inside each of its callbacks; nothing runs
// after.
#include "tests/unit/stitch/path_fixture.h"

namespace culvert::stitch {
namespace {

using test::SendAll;

struct CancelFixture : PathFixture {
  std::function<void()> destroy = [this] { end.path.reset(); };

  void CheckGone() {
    CHECK(Until([&] { return end.path == nullptr; }));
    const size_t heard = end.messages.size() + end.ends.size() + static_cast<size_t>(end.readies);
    if (peer.get() >= 0) test::SendSome(peer.get(), HelloBytes() + FrameBytes(tunnel::Close{9}));
    Settle();
    CHECK(end.messages.size() + end.ends.size() + static_cast<size_t>(end.readies) == heard);
  }
};

TEST_CASE_METHOD(CancelFixture, "StitchPath may be destroyed in OnHello", "[stitch_path]") {
  Open();
  end.on_hello = destroy;
  SECTION("that accepts") {}
  SECTION("that refuses") { end.accepts = absl::AbortedError("no"); }
  SendAll(peer.get(), HelloBytes() + FrameBytes(tunnel::Close{1}));
  CheckGone();
  CHECK(end.ends.empty());
  CHECK(end.readies == 0);
}

TEST_CASE_METHOD(CancelFixture, "StitchPath may be destroyed in OnPathReady", "[stitch_path]") {
  end.on_ready = destroy;
  SECTION("the first") {
    Open();
    end.path->SetReading(true);
    SendAll(peer.get(), HelloBytes() + FrameBytes(tunnel::Close{1}));
  }
  SECTION("after it was not ready") {
    end.on_ready = nullptr;
    OpenUp();
    end.on_ready = destroy;
    while (end.path->ready()) end.Send(DataOf(1, std::string(kMostBodyBytes, 'f')));
  }
  CHECK(Until([&] {
    Received();
    return end.path == nullptr;
  }));
  CheckGone();
  CHECK(end.messages.empty());
}

TEST_CASE_METHOD(CancelFixture, "StitchPath may be destroyed in OnPathMessage", "[stitch_path]") {
  OpenUp();
  end.on_message = destroy;
  SECTION("with more behind it") {
    SendAll(peer.get(), FrameBytes(tunnel::Close{1}) + FrameBytes(tunnel::Close{2}));
  }
  SECTION("that was held while reading was off") {
    end.path->SetReading(false);
    SendAll(peer.get(), FrameBytes(tunnel::Close{1}) + FrameBytes(tunnel::Close{2}));
    Settle();
    REQUIRE(end.messages.empty());
    end.path->SetReading(true);
  }
  CheckGone();
  CHECK(end.messages.size() == 1);
}

TEST_CASE_METHOD(CancelFixture, "StitchPath may be destroyed in OnPathEnd", "[stitch_path]") {
  end.on_end = destroy;
  SECTION("for want of Hello") { Open({.hello = 10ms, .ping = 8s, .loss = 20s, .idle_loss = 60s}); }
  SECTION("for silence") { OpenUp({.hello = 2s, .ping = 10ms, .loss = 20ms, .idle_loss = 20ms}); }
  SECTION("for what is no frame") {
    OpenUp();
    SendAll(peer.get(), std::string(kHeaderBytes, '\xff'));
  }
  SECTION("for the peer's FIN") {
    OpenUp();
    shutdown(peer.get(), SHUT_WR);
  }
  SECTION("for a reset") {
    OpenUp();
    peer.Reset();
  }
  SECTION("in order, ours first") {
    OpenUp();
    end.path->Finish();
    Settle();
    shutdown(peer.get(), SHUT_WR);
  }
  CheckGone();
  CHECK(end.ends.size() == 1);
}

TEST_CASE_METHOD(CancelFixture, "StitchPath destroyed with something under way says nothing more",
                 "[stitch_path]") {
  SECTION("before Hello") {
    Open();
    SendAll(peer.get(), HelloBytes());
  }
  SECTION("with messages that came") {
    OpenUp();
    SendAll(peer.get(), FrameBytes(tunnel::Close{1}));
  }
  SECTION("with messages that gather") {
    OpenUp();
    end.Send(tunnel::Ack{1, 1});
  }
  SECTION("with messages that wait for room") {
    OpenUp();
    while (end.path->ready()) end.Send(DataOf(1, std::string(kMostBodyBytes, 'f')));
  }
  SECTION("while it finishes") {
    OpenUp();
    end.path->Finish();
  }
  end.path.reset();
  CheckGone();
}

}  // namespace
}  // namespace culvert::stitch
