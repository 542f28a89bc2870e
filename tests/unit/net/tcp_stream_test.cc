#include "net/tcp_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>

#include "tests/support/segments.h"
#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

using test::Pattern;
using test::ReadNow;
using test::SendAll;
using test::SendSome;

int OptionOf(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  REQUIRE(getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

TEST_CASE_METHOD(StreamFixture, "TcpStream delivers what the peer sends while reading is on",
                 "[tcp_stream]") {
  stream->SetReading(true);
  SendAll(peer.get(), "hello");
  CHECK(Until([&] { return seen.bytes == "hello"; }));
}

TEST_CASE_METHOD(StreamFixture, "TcpStream delivers nothing before reading is switched on",
                 "[tcp_stream]") {
  SendAll(peer.get(), "hello");
  CHECK(Settle() < kManyTurns);
  CHECK(seen.reads == 0);

  stream->SetReading(true);
  CHECK(seen.reads == 0);  // not inside the call
  CHECK(Until([&] { return seen.bytes == "hello"; }));
}

TEST_CASE_METHOD(StreamFixture,
                 "TcpStream delivers nothing after reading was switched off in OnBytes",
                 "[tcp_stream]") {
  seen.on_bytes = [&] { stream->SetReading(false); };
  stream->SetReading(true);
  SendAll(peer.get(), Pattern(200'000));
  CHECK(Until([&] { return seen.reads == 1; }));
  CHECK(Settle() < kManyTurns);
  CHECK(seen.reads == 1);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream reads once a turn and at most 64 KiB", "[tcp_stream]") {
  const std::string sent = Pattern(3 * ByteStream::kMaxRead + 1);
  SendAll(peer.get(), sent);
  // Switching off and on must not earn a second read in the same turn.
  seen.on_bytes = [&] {
    stream->SetReading(false);
    stream->SetReading(true);
  };
  stream->SetReading(true);
  int reads_before = 0;
  int most_a_turn = 0;
  CHECK(Until([&] {
    most_a_turn = std::max(most_a_turn, seen.reads - reads_before);
    reads_before = seen.reads;
    return seen.bytes.size() == sent.size();
  }));
  CHECK(most_a_turn == 1);
  CHECK(seen.largest == ByteStream::kMaxRead);
  CHECK(seen.bytes == sent);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream reports FIN once, after the bytes before it",
                 "[tcp_stream]") {
  stream->SetReading(true);
  SendAll(peer.get(), "last words");
  shutdown(peer.get(), SHUT_WR);
  CHECK(Until([&] { return seen.ends == 1; }));
  CHECK(seen.bytes == "last words");

  stream->SetReading(true);  // of no effect
  CHECK(Settle() < kManyTurns);
  CHECK(seen.ends == 1);
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream sends its end in one segment with the last bytes",
                 "[tcp_stream]") {
  const uint32_t before = test::SegmentsTo(peer.get());
  bool finished = false;
  std::vector<Bytes> last;
  last.push_back(Bytes::Copy("last "));
  last.push_back(Bytes::Copy("words"));
  stream->FinishWith(std::move(last),
                     [&finished](const absl::Status& status) { finished = status.ok(); });
  CHECK(Until([&] { return finished; }));
  const test::PeerRead read = ReadNow(peer.get());
  CHECK(read.bytes == "last words");
  CHECK(read.eof);
  CHECK(test::SegmentsTo(peer.get()) == before + 1);
}

TEST_CASE("TcpStream does not provoke a peer that has closed", "[tcp_stream]") {
  EventLoop loop;
  RecordingDelegate seen;
  auto [ours, theirs] = test::ConnectedPair();
  const int fd = ours.Release();
  const auto stream = TcpStream::FromFd(loop, fd);
  REQUIRE(stream.ok());
  (*stream)->SetDelegate(&seen);
  SECTION("when all was read") {
    (*stream)->SetReading(true);
    theirs.Close();
    CHECK(loop.RunUntil([&] { return seen.ends == 1; }, 5s));
  }
  SECTION("when nothing was read") {
    SendAll(theirs.get(), "waits");
    theirs.Close();
  }
  SECTION("when reading was switched off") {
    (*stream)->SetReading(true);
    SendAll(theirs.get(), "read");
    CHECK(loop.RunUntil([&] { return seen.bytes == "read"; }, 5s));
    (*stream)->SetReading(false);
    SendAll(theirs.get(), "waits");
    theirs.Close();
  }
  CHECK(loop.RunUntil([&] { return OptionOf(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 7200; }, 5s));
  int turns = 0;
  loop.RunUntil([&turns] { return ++turns < 0; }, 30ms);
  CHECK(turns < kManyTurns);
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream goes on writing after the peer has finished",
                 "[tcp_stream]") {
  stream->SetReading(true);
  shutdown(peer.get(), SHUT_WR);
  REQUIRE(Until([&] { return seen.ends == 1; }));

  bool done = false;
  stream->Write(Bytes::Copy("answer"), [&](absl::Status status) { done = status.ok(); });
  CHECK(Until([&] { return done; }));
  CHECK(ReadNow(peer.get()).bytes == "answer");
}

TEST_CASE_METHOD(StreamFixture, "TcpStream goes on reading after it has finished writing",
                 "[tcp_stream]") {
  bool finished = false;
  stream->Write(Bytes::Copy("question"), [](absl::Status) {});
  stream->FinishWriting([&](absl::Status status) { finished = status.ok(); });
  REQUIRE(Until([&] { return finished; }));
  const test::PeerRead got = ReadNow(peer.get());
  CHECK(got.bytes == "question");
  CHECK(got.eof);

  stream->SetReading(true);
  SendAll(peer.get(), "answer");
  CHECK(Until([&] { return seen.bytes == "answer"; }));
}

TEST_CASE_METHOD(StreamFixture,
                 "TcpStream completes a write in a later turn, never inside the call",
                 "[tcp_stream]") {
  int done = 0;
  stream->Write(Bytes::Copy("a"), [&](absl::Status status) { done += status.ok() ? 1 : 0; });
  CHECK(done == 0);
  stream->FinishWriting([&](absl::Status status) { done += status.ok() ? 10 : 0; });
  CHECK(done == 0);
  CHECK(Until([&] { return done == 11; }));
}

TEST_CASE_METHOD(StreamFixture, "TcpStream keeps the order of writes and of their completions",
                 "[tcp_stream]") {
  const auto size = GENERATE(size_t{0}, size_t{1}, size_t{1000});
  std::string sent;
  std::vector<int> order;
  for (int i = 0; i < 200; ++i) {
    const std::string bytes(size + static_cast<size_t>(i % 3), static_cast<char>('a' + i % 26));
    sent += bytes;
    stream->Write(Bytes::Copy(bytes), [&order, i](absl::Status) { order.push_back(i); });
  }
  CHECK(Until([&] { return order.size() == 200; }));
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(ReadNow(peer.get()).bytes == sent);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream takes a write from inside the completion of another",
                 "[tcp_stream]") {
  bool done = false;
  stream->Write(Bytes::Copy("a"), [&](absl::Status) {
    stream->Write(Bytes::Copy("b"), [&](absl::Status) { done = true; });
    CHECK_FALSE(done);
  });
  CHECK(Until([&] { return done; }));
  CHECK(ReadNow(peer.get()).bytes == "ab");
}

TEST_CASE_METHOD(StreamFixture,
                 "TcpStream completes a write only when the peer has made room for it",
                 "[tcp_stream]") {
  FillOutput();
  const int stuck = filled;
  CHECK(Settle() < kManyTurns);
  CHECK(filled == stuck);

  CHECK(Until([&] {
    ReadNow(peer.get());
    return filled == stuck + 1;
  }));
}

TEST_CASE_METHOD(StreamFixture, "TcpStream carries megabytes both ways at once unchanged",
                 "[tcp_stream]") {
  const std::string to_peer = Pattern(8 << 20);
  const std::string from_peer(to_peer.rbegin(), to_peer.rend());
  stream->SetReading(true);
  bool finished = false;
  for (size_t at = 0; at < to_peer.size(); at += 300'000) {
    stream->Write(Bytes::Copy(std::string_view(to_peer).substr(at, 300'000)), [](absl::Status) {});
  }
  stream->FinishWriting([&](absl::Status) { finished = true; });

  std::string at_peer;
  size_t sent = 0;
  CHECK(Until([&] {
    sent += SendSome(peer.get(), std::string_view(from_peer).substr(sent));
    const test::PeerRead got = ReadNow(peer.get());
    at_peer += got.bytes;
    return got.eof && seen.bytes.size() == from_peer.size();
  }));
  CHECK(finished);
  CHECK(at_peer == to_peer);
  CHECK(seen.bytes == from_peer);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream keeps an urgent byte in the stream", "[tcp_stream]") {
  stream->SetReading(true);
  SendAll(peer.get(), "ab");
  REQUIRE(send(peer.get(), "!", 1, MSG_OOB) == 1);
  SendAll(peer.get(), "cd");
  CHECK(Until([&] { return seen.bytes == "ab!cd"; }));
}

TEST_CASE_METHOD(StreamFixture, "TcpStream names its peer", "[tcp_stream]") {
  CHECK(stream->PeerName() == "127.0.0.1:" + std::to_string(test::PortOf(peer.get())));
}

TEST_CASE("TcpStream sets its socket options and no user timeout", "[tcp_stream]") {
  EventLoop loop;
  auto [ours, theirs] = test::ConnectedPair();
  const int fd = ours.Release();
  const auto stream = TcpStream::FromFd(loop, fd);
  REQUIRE(stream.ok());
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(OptionOf(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 10);
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_KEEPCNT) == 6);
  CHECK(OptionOf(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
  CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("TcpStream refuses a descriptor that is no connected TCP socket and closes it",
          "[tcp_stream]") {
  EventLoop loop;
  int pipe_ends[2];
  REQUIRE(pipe2(pipe_ends, O_CLOEXEC) == 0);
  test::Fd other_end(pipe_ends[1]);
  CHECK_FALSE(TcpStream::FromFd(loop, pipe_ends[0]).ok());
  CHECK(fcntl(pipe_ends[0], F_GETFD) == -1);

  const int unconnected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_FALSE(TcpStream::FromFd(loop, unconnected).ok());
  CHECK(fcntl(unconnected, F_GETFD) == -1);
}

}  // namespace
}  // namespace culvert::net
