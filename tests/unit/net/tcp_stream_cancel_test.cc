// A TcpStream may be destroyed at any point, also inside each of its callbacks; nothing runs after.
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

using test::SendAll;

TEST_CASE_METHOD(StreamFixture, "TcpStream may be destroyed in OnBytes", "[tcp_stream]") {
  seen.on_bytes = [&] { stream.reset(); };
  stream->SetReading(true);
  SendAll(peer.get(), test::Pattern(200'000));
  CHECK(Until([&] { return stream == nullptr; }));
  Settle();
  CHECK(seen.reads == 1);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream may be destroyed in OnEnd", "[tcp_stream]") {
  seen.on_end = [&] { stream.reset(); };
  stream->SetReading(true);
  shutdown(peer.get(), SHUT_WR);
  CHECK(Until([&] { return stream == nullptr; }));
  Settle();
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream may be destroyed in OnBroken", "[tcp_stream]") {
  seen.on_broken = [&] { stream.reset(); };
  SECTION("noticed by the loop") { peer.Reset(); }
  SECTION("noticed by a read") {
    stream->SetReading(true);
    peer.Reset();
  }
  SECTION("noticed by a write") {
    peer.Reset();
    stream->Write(Bytes::Copy("late"), [](absl::Status) {});
  }
  CHECK(Until([&] { return stream == nullptr; }));
  Settle();
  CHECK(seen.breaks == 1);
}

TEST_CASE_METHOD(StreamFixture,
                 "TcpStream may be destroyed in a completion, and the later ones never run",
                 "[tcp_stream]") {
  int later = 0;
  SECTION("of a write") {
    stream->Write(Bytes::Copy("a"), [&](absl::Status) { stream.reset(); });
    stream->Write(Bytes::Copy("b"), [&](absl::Status) { ++later; });
    stream->FinishWriting([&](absl::Status) { ++later; });
  }
  SECTION("of the end") {
    stream->FinishWriting([&](absl::Status) { stream.reset(); });
  }
  SECTION("of a write that failed") {
    peer.Reset();
    stream->Write(Bytes::Copy("a"), [&](absl::Status) { stream.reset(); });
    stream->Write(Bytes::Copy("b"), [&](absl::Status) { ++later; });
  }
  SECTION("of a write that had to wait for room") {
    FillOutput();
    stream->Write(Bytes::Copy("a"), [&](absl::Status) { stream.reset(); });
    stream->Write(Bytes::Copy("b"), [&](absl::Status) { ++later; });
  }
  CHECK(Until([&] {
    if (peer.get() >= 0) test::ReadNow(peer.get());
    return stream == nullptr;
  }));
  Settle();
  CHECK(later == 0);
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream destroyed with writes pending never completes them",
                 "[tcp_stream]") {
  int completed = 0;
  const auto count = [&](absl::Status) { ++completed; };
  auto token = std::make_shared<int>(0);
  SECTION("that the kernel has taken already") { stream->Write(Bytes::Copy("a"), count); }
  SECTION("that wait for room") {
    FillOutput();
    stream->Write(Bytes::Copy("a"), count);
  }
  SECTION("that failed already") {
    peer.Reset();
    stream->Write(Bytes::Copy("a"), count);
  }
  stream->Write(Bytes(token, "b"), [token, count](absl::Status status) { count(status); });
  stream->FinishWriting(count);
  stream.reset();
  CHECK(token.use_count() == 1);  // bytes and completions are let go of at once
  Settle();
  CHECK(completed == 0);
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StreamFixture,
                 "TcpStream destroyed while data or an end has arrived reports nothing",
                 "[tcp_stream]") {
  stream->SetReading(true);
  SECTION("data") { SendAll(peer.get(), "a"); }
  SECTION("FIN") { shutdown(peer.get(), SHUT_WR); }
  SECTION("RST") { peer.Reset(); }
  stream.reset();
  Settle();
  CHECK(seen.reads + seen.ends + seen.breaks == 0);
}

TEST_CASE("A stream may be destroyed between two loop runs and the loop right after it",
          "[tcp_stream]") {
  RecordingDelegate seen;
  EventLoop loop;
  auto [ours, theirs] = test::ConnectedPair();
  auto stream = TcpStream::FromFd(loop, ours.Release());
  REQUIRE(stream.ok());
  (*stream)->SetDelegate(&seen);
  (*stream)->Write(Bytes::Copy("a"), [](absl::Status) {});
  stream->reset();
}

}  // namespace
}  // namespace culvert::net
