// Stdio over descriptors of the test's own.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/stdio_stream.h"
#include "tests/support/catch.h"
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {

using test::Fd;

struct PipeEnds {
  Fd read_end;
  Fd write_end;
  PipeEnds() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
};

inline Fd DevNull() { return Fd(open("/dev/null", O_RDWR | O_CLOEXEC)); }

// A file with `content` and no name, at its start.
inline Fd FileWith(std::string_view content) {
  Fd file(memfd_create("stdio", MFD_CLOEXEC));
  REQUIRE(file.get() >= 0);
  REQUIRE(write(file.get(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  REQUIRE(lseek(file.get(), 0, SEEK_SET) == 0);
  return file;
}

inline bool IsNonBlocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

inline void WriteAll(int fd, std::string_view bytes) {
  REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

// What can be read without waiting.
inline test::PeerRead ReadPipe(int fd) {
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

  Duration end_time = 20ms;

  StdioFixture() { std::signal(SIGPIPE, SIG_IGN); }

  void Open(int in_fd, int out_fd) {
    auto opened = OpenStdio(loop, in_fd, out_fd, end_time);
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

}  // namespace culvert::net
