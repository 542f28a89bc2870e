// How a TcpStream and its peer learn of a connection that ended out of order.
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

using test::ReadNow;
using test::SendAll;

void CheckIsReset(const RecordingDelegate& seen) {
  CHECK(seen.breaks == 1);
  CHECK(absl::IsAborted(seen.why));
  CHECK(seen.why.message() == "connection reset by peer");
}

TEST_CASE_METHOD(StreamFixture,
                 "TcpStream reports a reset while reading, after the bytes before it",
                 "[tcp_stream]") {
  SendAll(peer.get(), test::Pattern(100'000));
  peer.Reset();
  stream->SetReading(true);
  CHECK(Until([&] { return seen.breaks > 0; }));
  CheckIsReset(seen);
  CHECK(seen.bytes.size() == 100'000);
  CHECK(seen.ends == 0);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream reports a reset while it is not reading",
                 "[tcp_stream]") {
  SECTION("and never has been") { peer.Reset(); }
  SECTION("and data waits") {
    SendAll(peer.get(), "unread");
    Settle();
    peer.Reset();
  }
  SECTION("after reading was switched off") {
    stream->SetReading(true);
    SendAll(peer.get(), "read");
    REQUIRE(Until([&] { return seen.reads == 1; }));
    stream->SetReading(false);
    Settle();
    peer.Reset();
  }
  SECTION("after reading was switched off with data arriving") {
    stream->SetReading(true);
    Settle();
    stream->SetReading(false);
    SendAll(peer.get(), "unread");
    Settle();
    peer.Reset();
  }
  SECTION("after the peer's FIN, which it has not read") {
    SendAll(peer.get(), "unread");
    shutdown(peer.get(), SHUT_WR);
    CHECK(Settle() < kManyTurns);
    CHECK(seen.breaks == 0);
    peer.Reset();
  }
  SECTION("after the peer's FIN, which it has read") {
    stream->SetReading(true);
    shutdown(peer.get(), SHUT_WR);
    REQUIRE(Until([&] { return seen.ends == 1; }));
    Settle();
    peer.Reset();
  }
  SECTION("after it has finished writing") {
    bool finished = false;
    stream->FinishWriting([&](absl::Status) { finished = true; });
    REQUIRE(Until([&] { return finished; }));
    Settle();
    peer.Reset();
  }
  CHECK(Until([&] { return seen.breaks > 0; }));
  CheckIsReset(seen);
  Settle();
  CHECK(seen.breaks == 1);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream takes FIN while not reading for no break, and sleeps",
                 "[tcp_stream]") {
  SECTION("with data before it") { SendAll(peer.get(), "unread"); }
  SECTION("alone") {}
  shutdown(peer.get(), SHUT_WR);
  CHECK(Settle() < kManyTurns);
  CHECK(seen.breaks == 0);
  CHECK(seen.ends == 0);

  stream->SetReading(true);
  CHECK(Until([&] { return seen.ends == 1; }));
}

TEST_CASE_METHOD(StreamFixture, "TcpStream sleeps when both directions have ended",
                 "[tcp_stream]") {
  stream->SetReading(true);
  shutdown(peer.get(), SHUT_WR);
  stream->FinishWriting([](absl::Status) {});
  CHECK(Until([&] { return seen.ends == 1; }));
  CHECK(Settle() < kManyTurns);
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream sleeps while an urgent byte waits unread",
                 "[tcp_stream][slow]") {
  REQUIRE(send(peer.get(), "!", 1, MSG_OOB) == 1);
  CHECK(Settle() < kManyTurns);
  CHECK(seen.breaks == 0);

  SECTION("and still reads it") {
    stream->SetReading(true);
    CHECK(Until([&] { return seen.bytes == "!"; }));
  }
  SECTION("and still notices a reset") {
    peer.Reset();
    CHECK(Until([&] { return seen.breaks == 1; }));
  }
}

TEST_CASE_METHOD(StreamFixture,
                 "TcpStream completes pending writes with the reset, before OnBroken",
                 "[tcp_stream]") {
  FillOutput();
  std::vector<absl::Status> statuses;
  const auto note = [&](absl::Status status) {
    CHECK(seen.breaks == 0);
    statuses.push_back(status);
  };
  stream->Write(Bytes::Copy("more"), note);
  stream->FinishWriting(note);
  peer.Reset();
  CHECK(Until([&] { return seen.breaks > 0; }));
  CheckIsReset(seen);
  REQUIRE(statuses.size() == 2);
  CHECK(absl::IsAborted(statuses[0]));
  CHECK(absl::IsAborted(statuses[1]));
}

TEST_CASE_METHOD(StreamFixture,
                 "TcpStream reports a break that a write runs into, not inside the call",
                 "[tcp_stream]") {
  peer.Reset();  // the loop has not seen it yet
  absl::Status written;
  stream->Write(Bytes::Copy("late"), [&](absl::Status status) { written = status; });
  CHECK(written.ok());
  CHECK(seen.breaks == 0);
  CHECK(Until([&] { return seen.breaks > 0; }));
  CheckIsReset(seen);
  CHECK(absl::IsAborted(written));
}

TEST_CASE_METHOD(StreamFixture, "TcpStream fails what is written after the break", "[tcp_stream]") {
  peer.Reset();
  REQUIRE(Until([&] { return seen.breaks > 0; }));
  absl::Status written;
  absl::Status finished;
  stream->Write(Bytes::Copy("late"), [&](absl::Status status) { written = status; });
  stream->FinishWriting([&](absl::Status status) { finished = status; });
  stream->SetReading(true);
  CHECK(Until([&] { return !finished.ok(); }));
  CHECK(absl::IsAborted(written));
  CHECK(absl::IsAborted(finished));
  CHECK(seen.breaks == 1);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream destroyed sends RST while ResetOnClose holds, else FIN",
                 "[tcp_stream]") {
  SECTION("RST") {
    stream->SetResetOnClose(true);
    stream.reset();
    Settle();
    CHECK(ReadNow(peer.get()).error == ECONNRESET);
  }
  SECTION("RST also in the middle of a half-close") {
    stream->SetResetOnClose(true);
    bool finished = false;
    stream->FinishWriting([&](absl::Status) { finished = true; });
    REQUIRE(Until([&] { return finished; }));
    stream.reset();
    CHECK(Until([&] {
      return ReadNow(peer.get()).error != 0 || send(peer.get(), "x", 1, MSG_NOSIGNAL) < 0;
    }));
  }
  SECTION("FIN by default") {
    stream.reset();
    CHECK(ReadNow(peer.get()).eof);
  }
  SECTION("FIN after it was switched off again") {
    stream->SetResetOnClose(true);
    stream->SetResetOnClose(false);
    stream.reset();
    CHECK(ReadNow(peer.get()).eof);
  }
}

}  // namespace
}  // namespace culvert::net
