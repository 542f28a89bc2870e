#include "net/stdio_stream.h"

#include <pty.h>
#include <sys/socket.h>

#include <optional>

#include "tests/unit/net/stdio_fixture.h"

namespace culvert::net {
namespace {

using test::Pattern;

TEST_CASE_METHOD(StdioFixture, "Stdio carries megabytes through pipes unchanged",
                 "[stdio_stream]") {
  PipeEnds in;
  PipeEnds out;
  Open(in.read_end.get(), out.write_end.get());
  test::SetNonBlocking(in.write_end.get());
  const std::string sent = Pattern(2 << 20);
  size_t written = 0;
  std::string came_out;
  bool finished = false;
  seen.on_bytes = [&] {
    stream->Write(Bytes::Copy(seen.bytes), [](absl::Status) {});
    seen.bytes.clear();
  };
  seen.on_end = [&] { stream->FinishWriting([&](absl::Status) { finished = true; }); };
  stream->SetReading(true);
  CHECK(Until([&] {
    if (in.write_end.get() >= 0) {
      const ssize_t taken = write(in.write_end.get(), sent.data() + written, sent.size() - written);
      if (taken > 0) written += static_cast<size_t>(taken);
      if (written == sent.size()) in.write_end.Close();
    }
    const test::PeerRead got = ReadPipe(out.read_end.get());
    came_out += got.bytes;
    return got.eof;
  }));
  CHECK(Until([&] { return finished; }));
  CHECK(seen.largest <= ByteStream::kMaxRead);
  CHECK(came_out == sent);
}

TEST_CASE_METHOD(StdioFixture, "Stdio ends a pipe although the original descriptor is still open",
                 "[stdio_stream]") {
  PipeEnds out;
  Open(null.get(), out.write_end.get());
  stream->Write(Bytes::Copy("bye"), [](absl::Status) {});
  bool finished = false;
  stream->FinishWriting([&](absl::Status status) { finished = status.ok(); });
  CHECK(Until([&] { return finished; }));
  const test::PeerRead got = ReadPipe(out.read_end.get());
  CHECK(got.bytes == "bye");
  CHECK(got.eof);
  // Its number is not free: whatever is opened next must not become stdout.
  WriteAll(out.write_end.get(), "into the void");
}

TEST_CASE_METHOD(StdioFixture, "Stdio puts the flags of the descriptors back when destroyed",
                 "[stdio_stream]") {
  SECTION("of pipes") {
    PipeEnds in;
    PipeEnds out;
    Open(in.read_end.get(), out.write_end.get());
    CHECK(IsNonBlocking(in.read_end.get()));
    CHECK(IsNonBlocking(out.write_end.get()));
    stream.reset();
    CHECK_FALSE(IsNonBlocking(in.read_end.get()));
    CHECK_FALSE(IsNonBlocking(out.write_end.get()));
  }
  SECTION("of one file that is both") {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    Open(ours.get(), ours.get());
    CHECK(IsNonBlocking(ours.get()));
    stream.reset();
    CHECK_FALSE(IsNonBlocking(ours.get()));
  }
  SECTION("which may have been non-blocking before") {
    PipeEnds in;
    PipeEnds out;
    test::SetNonBlocking(in.read_end.get());
    Open(in.read_end.get(), out.write_end.get());
    stream.reset();
    CHECK(IsNonBlocking(in.read_end.get()));
  }
}

TEST_CASE_METHOD(StdioFixture, "Stdio works on one socket for both, with half-close each way",
                 "[stdio_stream]") {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  Open(ours.get(), ours.get());
  stream->SetReading(true);

  stream->FinishWriting([](absl::Status) {});
  CHECK(Until([&] { return test::ReadNow(theirs.get()).eof; }));
  test::SendAll(theirs.get(), "still coming");
  CHECK(Until([&] { return seen.bytes == "still coming"; }));
  shutdown(theirs.get(), SHUT_WR);
  CHECK(Until([&] { return seen.ends == 1; }));
  CHECK(Settle() < kManyTurns);
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StdioFixture, "Stdio works on a terminal", "[stdio_stream]") {
  int primary = -1;
  int secondary = -1;
  REQUIRE(openpty(&primary, &secondary, nullptr, nullptr, nullptr) == 0);
  const Fd screen(primary);
  const Fd terminal(secondary);
  Open(terminal.get(), terminal.get());
  stream->SetReading(true);
  WriteAll(screen.get(), "typed\n");
  CHECK(Until([&] { return seen.bytes == "typed\n"; }));
  bool written = false;
  stream->Write(Bytes::Copy("shown"), [&](absl::Status status) { written = status.ok(); });
  CHECK(Until([&] { return written; }));
  CHECK(ReadPipe(screen.get()).bytes.find("shown") != std::string::npos);
  WriteAll(screen.get(), "\x04");  // Ctrl-D
  CHECK(Until([&] { return seen.ends == 1; }));
  stream.reset();
  CHECK_FALSE(IsNonBlocking(terminal.get()));
}

TEST_CASE_METHOD(StdioFixture, "Stdio may be destroyed in each callback and with all pending",
                 "[stdio_stream]") {
  PipeEnds in;
  PipeEnds out;
  const bool files = GENERATE(false, true);
  const Fd in_file = FileWith("some bytes");
  const Fd out_file = FileWith("");
  const auto open_both = [&] {
    Open(files ? in_file.get() : in.read_end.get(), files ? out_file.get() : out.write_end.get());
  };
  const auto gone = [&] { return stream == nullptr; };
  SECTION("OnBytes") {
    open_both();
    if (!files) WriteAll(in.write_end.get(), "some bytes");
    seen.on_bytes = [&] { stream.reset(); };
    stream->SetReading(true);
    CHECK(Until(gone));
  }
  SECTION("OnEnd") {
    open_both();
    in.write_end.Close();
    seen.on_end = [&] { stream.reset(); };
    stream->SetReading(true);
    CHECK(Until(gone));
  }
  SECTION("a completion") {
    open_both();
    stream->Write(Bytes::Copy("x"), [&](absl::Status) { stream.reset(); });
    CHECK(Until(gone));
  }
  SECTION("the completion of the end") {
    open_both();
    stream->FinishWriting([&](absl::Status) { stream.reset(); });
    CHECK(Until(gone));
  }
  SECTION("everything under way") {
    open_both();
    int completed = 0;
    stream->SetReading(true);
    stream->Write(Bytes(std::string(1 << 20, 'x')), [&](absl::Status) { ++completed; });
    stream->FinishWriting([&](absl::Status) { ++completed; });
    stream.reset();
    Settle();
    CHECK(completed == 0);
    CHECK(seen.reads + seen.ends + seen.breaks == 0);
  }
}

TEST_CASE("Stdio refuses a descriptor that is not open", "[stdio_stream]") {
  EventLoop loop;
  PipeEnds pipe;
  CHECK_FALSE(OpenStdio(loop, -1, pipe.write_end.get()).ok());
  CHECK_FALSE(OpenStdio(loop, pipe.read_end.get(), -1).ok());
  CHECK_FALSE(IsNonBlocking(pipe.read_end.get()));
}

TEST_CASE("Stdio names itself", "[stdio_stream]") {
  EventLoop loop;
  PipeEnds pipe;
  const auto stream = OpenStdio(loop, pipe.read_end.get(), pipe.write_end.get());
  REQUIRE(stream.ok());
  CHECK((*stream)->PeerName() == "stdio");
}

}  // namespace
}  // namespace culvert::net
