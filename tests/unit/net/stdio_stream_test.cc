#include "net/stdio_stream.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

using test::Fd;
using test::Pattern;

struct Pipe {
  Fd read_end;
  Fd write_end;
  Pipe() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
};

Fd DevNull() { return Fd(open("/dev/null", O_RDWR | O_CLOEXEC)); }

// An unnamed file with `content`, at its start.
Fd FileWith(std::string_view content) {
  char name[] = "/tmp/culvert_stdio_XXXXXX";
  Fd file(mkostemp(name, O_CLOEXEC));
  REQUIRE(file.get() >= 0);
  unlink(name);
  REQUIRE(write(file.get(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  REQUIRE(lseek(file.get(), 0, SEEK_SET) == 0);
  return file;
}

bool IsNonBlocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

void WriteAll(int fd, std::string_view bytes) {
  REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

// What can be read without waiting.
test::PeerRead ReadPipe(int fd) {
  test::PeerRead result;
  test::SetNonBlocking(fd);
  std::string buffer(64 * 1024, '\0');
  while (true) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got > 0) result.bytes.append(buffer.data(), static_cast<size_t>(got));
    if (got > 0) continue;
    result.eof = got == 0;
    return result;
  }
}

struct StdioFixture {
  EventLoop loop;
  RecordingDelegate seen;
  std::unique_ptr<ByteStream> stream;
  const Fd null = DevNull();

  StdioFixture() { std::signal(SIGPIPE, SIG_IGN); }

  void Open(int in_fd, int out_fd) {
    auto opened = OpenStdio(loop, in_fd, out_fd);
    REQUIRE(opened.ok());
    stream = *std::move(opened);
    stream->SetDelegate(&seen);
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
  int Settle() {
    int turns = 0;
    loop.RunUntil([&turns] { return ++turns < 0; }, 30ms);
    return turns;
  }
};

TEST_CASE_METHOD(StdioFixture, "Stdio carries megabytes through pipes unchanged",
                 "[stdio_stream]") {
  Pipe in;
  Pipe out;
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
  Pipe out;
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
    Pipe in;
    Pipe out;
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
    Pipe in;
    Pipe out;
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

TEST_CASE_METHOD(StdioFixture, "Stdio reads a regular file to its end in chunks",
                 "[stdio_stream]") {
  const size_t size = GENERATE(size_t{0}, size_t{1}, ByteStream::kMaxRead, size_t{200'000});
  const std::string content = Pattern(size);
  const Fd file = FileWith(content);
  Open(file.get(), null.get());
  stream->SetReading(true);
  CHECK(seen.reads == 0);
  CHECK(Until([&] { return seen.ends == 1; }));
  CHECK(seen.bytes == content);
  CHECK(seen.largest <= ByteStream::kMaxRead);
}

TEST_CASE_METHOD(StdioFixture, "Stdio delivers nothing of a file while reading is off",
                 "[stdio_stream]") {
  const std::string content = Pattern(200'000);
  const Fd file = FileWith(content);
  Open(file.get(), null.get());
  CHECK(Settle() < kManyTurns);
  CHECK(seen.reads == 0);

  stream->SetReading(true);
  stream->SetReading(false);  // with a read under way
  CHECK(Settle() < kManyTurns);
  CHECK(seen.reads == 0);

  seen.on_bytes = [&] { stream->SetReading(false); };
  while (seen.ends == 0) {
    const int before = seen.reads;
    stream->SetReading(true);
    CHECK(seen.reads == before);
    REQUIRE(Until([&] { return seen.reads > before || seen.ends > 0; }));
  }
  CHECK(seen.bytes == content);
}

TEST_CASE_METHOD(StdioFixture, "Stdio reads the end at once from /dev/null", "[stdio_stream]") {
  Open(null.get(), null.get());
  stream->SetReading(true);
  CHECK(Until([&] { return seen.ends == 1; }));
  CHECK(seen.reads == 0);
}

TEST_CASE_METHOD(StdioFixture, "Stdio writes a regular file or /dev/null, in order",
                 "[stdio_stream]") {
  const bool is_null = GENERATE(false, true);
  const Fd file = is_null ? DevNull() : FileWith("");
  Open(null.get(), file.get());
  std::string sent;
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    const std::string part = Pattern(static_cast<size_t>(i) * 150'000);
    sent += part;
    stream->Write(Bytes::Copy(part), [&order, i](absl::Status status) {
      CHECK(status.ok());
      order.push_back(i);
    });
  }
  CHECK(order.empty());
  stream->FinishWriting([&](absl::Status) { order.push_back(5); });
  CHECK(Until([&] { return order.size() == 6; }));
  CHECK(std::is_sorted(order.begin(), order.end()));
  if (is_null) return;
  std::string written(sent.size() + 1, '\0');
  CHECK(pread(file.get(), written.data(), written.size(), 0) == static_cast<ssize_t>(sent.size()));
  written.pop_back();
  CHECK(written == sent);
}

TEST_CASE_METHOD(StdioFixture, "Stdio notices at the next write that nobody reads stdout",
                 "[stdio_stream]") {
  Pipe in;
  Pipe out;
  Open(in.read_end.get(), out.write_end.get());
  out.read_end.Close();
  CHECK(Settle() < kManyTurns);
  CHECK(seen.breaks == 0);

  absl::Status written;
  stream->Write(Bytes::Copy("anybody?"), [&](absl::Status status) { written = status; });
  CHECK(seen.breaks == 0);
  CHECK(Until([&] { return seen.breaks == 1; }));
  CHECK(absl::IsAborted(seen.why));
  CHECK(seen.why.message() == "broken pipe");
  CHECK(absl::IsAborted(written));
}

TEST_CASE_METHOD(StdioFixture, "Stdio notices a reader that goes away while a write waits for it",
                 "[stdio_stream]") {
  Pipe in;
  Pipe out;
  Open(in.read_end.get(), out.write_end.get());
  absl::Status written;
  stream->Write(Bytes(std::string(1 << 20, 'x')), [&](absl::Status status) { written = status; });
  CHECK(Settle() < kManyTurns);
  CHECK(written.ok());
  out.read_end.Close();
  CHECK(Until([&] { return seen.breaks == 1; }));
  CHECK(absl::IsAborted(written));
}

TEST_CASE_METHOD(StdioFixture, "Stdio reports a file that cannot be written", "[stdio_stream]") {
  const Fd read_only(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Open(null.get(), read_only.get());
  absl::Status written;
  stream->Write(Bytes::Copy("x"), [&](absl::Status status) { written = status; });
  CHECK(Until([&] { return seen.breaks == 1; }));
  CHECK_FALSE(written.ok());
}

TEST_CASE_METHOD(StdioFixture, "Stdio may be destroyed in each callback and with all pending",
                 "[stdio_stream]") {
  Pipe in;
  Pipe out;
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
  Pipe pipe;
  CHECK_FALSE(OpenStdio(loop, -1, pipe.write_end.get()).ok());
  CHECK_FALSE(OpenStdio(loop, pipe.read_end.get(), -1).ok());
  CHECK_FALSE(IsNonBlocking(pipe.read_end.get()));
}

TEST_CASE("Stdio names itself", "[stdio_stream]") {
  EventLoop loop;
  Pipe pipe;
  const auto stream = OpenStdio(loop, pipe.read_end.get(), pipe.write_end.get());
  REQUIRE(stream.ok());
  CHECK((*stream)->PeerName() == "stdio");
}

}  // namespace
}  // namespace culvert::net
