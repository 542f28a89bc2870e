#include <pty.h>
#include <sys/socket.h>

#include <optional>

#include "net/stdio_stream.h"
#include "tests/unit/net/stdio_fixture.h"

// How the stream notices that nobody reads its output any more.
namespace culvert::net {
namespace {

using test::Pattern;

TEST_CASE_METHOD(StdioFixture, "Stdio notices a reader that goes away while nothing is written",
                 "[stdio_stream]") {
  PipeEnds in;
  SECTION("of a pipe") {
    PipeEnds out;
    Open(in.read_end.get(), out.write_end.get());
    CHECK(Settle() < kManyTurns);
    CHECK(seen.breaks == 0);
    out.read_end.Close();
    CHECK(Until([&] { return seen.breaks == 1; }));
  }
  SECTION("of a pipe, before the stream was opened") {
    PipeEnds out;
    out.read_end.Close();
    Open(in.read_end.get(), out.write_end.get());
    CHECK(Until([&] { return seen.breaks == 1; }));
  }
  SECTION("of a socket, and not one that only ends its direction") {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const Fd ours(ends[0]);
    Fd theirs(ends[1]);
    Open(in.read_end.get(), ours.get());
    shutdown(theirs.get(), SHUT_WR);
    CHECK(Settle() < kManyTurns);
    CHECK(seen.breaks == 0);
    theirs.Close();
    CHECK(Until([&] { return seen.breaks == 1; }));
  }
  SECTION("of a terminal") {
    int primary = -1;
    int secondary = -1;
    REQUIRE(openpty(&primary, &secondary, nullptr, nullptr, nullptr) == 0);
    Fd screen(primary);
    const Fd terminal(secondary);
    Open(in.read_end.get(), terminal.get());
    CHECK(Settle() < kManyTurns);
    CHECK(seen.breaks == 0);
    screen.Close();
    CHECK(Until([&] { return seen.breaks == 1; }));
  }
  CHECK(absl::IsAborted(seen.why));
  CHECK(seen.why.message() == kReaderGone);
  CHECK(Settle() < kManyTurns);
  absl::Status written;
  stream->Write(Bytes::Copy("anybody?"), [&](absl::Status status) { written = status; });
  CHECK(Until([&] { return !written.ok(); }));
  CHECK(seen.breaks == 1);
}

TEST_CASE_METHOD(StdioFixture, "Stdio ends in order although its reader is gone already",
                 "[stdio_stream]") {
  end_time = 5s;
  PipeEnds in;
  PipeEnds out;
  Open(in.read_end.get(), out.write_end.get());
  out.read_end.Close();
  CHECK(Settle() < kManyTurns);
  WriteAll(in.write_end.get(), "last words");
  in.write_end.Close();
  stream->SetReading(true);
  CHECK(Until([&] { return seen.ends == 1; }));
  CHECK(seen.bytes == "last words");
  std::optional<absl::Status> finished;
  stream->FinishWriting([&](absl::Status status) { finished = status; });
  CHECK(Until([&] { return finished.has_value(); }));
  CHECK(finished->ok());
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StdioFixture, "Stdio breaks at once when it writes to a reader that is gone",
                 "[stdio_stream]") {
  end_time = 1h;
  PipeEnds in;
  PipeEnds out;
  Open(in.read_end.get(), out.write_end.get());
  out.read_end.Close();
  CHECK(Settle() < kManyTurns);
  absl::Status written;
  stream->Write(Bytes::Copy("anybody?"), [&](absl::Status status) { written = status; });
  CHECK(Until([&] { return seen.breaks == 1; }));
  CHECK(written.message() == kReaderGone);
}

TEST_CASE_METHOD(StdioFixture, "Stdio has no reader to miss once it has ended its output",
                 "[stdio_stream]") {
  PipeEnds in;
  PipeEnds out;
  Open(in.read_end.get(), out.write_end.get());
  stream->FinishWriting([](absl::Status) {});
  CHECK(Until([&] { return ReadPipe(out.read_end.get()).eof; }));
  out.read_end.Close();
  CHECK(Settle() < kManyTurns);
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StdioFixture, "Stdio notices a reader that goes away while a write waits for it",
                 "[stdio_stream]") {
  PipeEnds in;
  PipeEnds out;
  Open(in.read_end.get(), out.write_end.get());
  absl::Status written;
  stream->Write(Bytes(std::string(1 << 20, 'x')), [&](absl::Status status) { written = status; });
  CHECK(Settle() < kManyTurns);
  CHECK(written.ok());
  out.read_end.Close();
  CHECK(Until([&] { return seen.breaks == 1; }));
  CHECK(absl::IsAborted(written));
  CHECK(written.message() == kReaderGone);
}

TEST_CASE_METHOD(StdioFixture, "Stdio does not take urgent data for a reader that is gone",
                 "[stdio_stream]") {
  const auto [ours, theirs] = test::ConnectedPair();
  Open(ours.get(), ours.get());
  REQUIRE(send(theirs.get(), "!", 1, MSG_OOB) == 1);
  CHECK(Settle() < kManyTurns);
  CHECK(seen.breaks == 0);
}

}  // namespace
}  // namespace culvert::net
