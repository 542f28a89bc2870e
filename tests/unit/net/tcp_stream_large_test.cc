// TcpStream: reads of a chosen size, and writes of several parts.
#include <unistd.h>

#include <fstream>
#include <vector>

#include "tests/unit/net/stream_fixture.h"

namespace culvert::net {
namespace {

using test::Pattern;
using test::ReadNow;

size_t ResidentBytes() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Sends what fits until all is sent, while the loop runs.
void SendWhileReading(StreamFixture& fixture, const std::string& bytes) {
  size_t sent = 0;
  CHECK(fixture.Until([&] {
    sent += test::SendSome(fixture.peer.get(), std::string_view(bytes).substr(sent));
    return fixture.seen.bytes.size() == bytes.size();
  }));
}

TEST_CASE_METHOD(StreamFixture, "TcpStream reads at most what SetReadSize says", "[tcp_stream]") {
  const auto size =
      GENERATE(size_t{1}, size_t{1000}, ByteStream::kMaxRead, ByteStream::kMaxRead + 1,
               ByteStream::kMostReadSize - 1, ByteStream::kMostReadSize);
  stream->SetReadSize(size);
  const std::string bytes = Pattern(std::min(5 * size, 2 * ByteStream::kMostReadSize) + 3);
  stream->SetReading(true);
  SendWhileReading(*this, bytes);
  CHECK(seen.bytes == bytes);
  CHECK(seen.largest <= size);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream changes its read size from one read to the next",
                 "[tcp_stream]") {
  stream->SetReadSize(3);
  seen.on_bytes = [&] { stream->SetReadSize(ByteStream::kMostReadSize); };
  test::SendAll(peer.get(), Pattern(200'000));
  stream->SetReading(true);
  CHECK(Until([&] { return seen.reads == 2; }));
  CHECK(seen.bytes.size() > ByteStream::kMaxRead);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream with large reads reports FIN and reset as ever",
                 "[tcp_stream]") {
  stream->SetReadSize(ByteStream::kMostReadSize);
  stream->SetReading(true);
  test::SendAll(peer.get(), "last words");
  SECTION("FIN") {
    shutdown(peer.get(), SHUT_WR);
    CHECK(Until([&] { return seen.ends == 1; }));
    CHECK(seen.bytes == "last words");
  }
  SECTION("reset") {
    CHECK(Until([&] { return seen.reads == 1; }));
    peer.Reset();
    CHECK(Until([&] { return seen.breaks == 1; }));
    CHECK(absl::IsAborted(seen.why));
  }
}

// Keeps what comes, as a window does.
struct Keeper final : ByteStream::Delegate {
  std::vector<Bytes> kept;
  size_t size = 0;
  void OnBytes(Bytes bytes) override {
    size += bytes.size();
    kept.push_back(std::move(bytes));
  }
  void OnEnd() override {}
  void OnBroken(absl::Status) override {}
};

TEST_CASE("TcpStream keeps no large buffer for a few bytes", "[tcp_stream]") {
  EventLoop loop;
  Keeper keeper;
  auto [ours, theirs] = test::ConnectedPair();
  auto stream = TcpStream::FromFd(loop, ours.Release());
  REQUIRE(stream.ok());
  (*stream)->SetDelegate(&keeper);
  (*stream)->SetReadSize(ByteStream::kMostReadSize);
  (*stream)->SetReading(true);
  const size_t before = ResidentBytes();
  for (size_t i = 0; i < 2000; ++i) {
    test::SendAll(theirs.get(), "0123456789");
    REQUIRE(loop.RunUntil([&] { return keeper.size == 10 * (i + 1); }, 5s));
  }
  // They would hold 500 MB.
  CHECK(ResidentBytes() - before < size_t{8} * 1024 * 1024);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream may be handed over to another delegate",
                 "[tcp_stream]") {
  RecordingDelegate next;
  bool written = false;
  stream->Write(Bytes::Copy("token"), [&](const absl::Status& status) { written = status.ok(); });
  SECTION("at once") { stream->SetDelegate(&next); }
  SECTION("in a callback of the first") {
    seen.on_bytes = [&] { stream->SetDelegate(&next); };
    stream->SetReading(true);
    test::SendAll(peer.get(), "first");
    REQUIRE(Until([&] { return seen.bytes == "first"; }));
  }
  const int before = seen.reads;
  stream->SetReading(true);
  test::SendAll(peer.get(), "hello");
  CHECK(Until([&] { return next.bytes == "hello" && written; }));
  peer.Reset();
  CHECK(Until([&] { return next.breaks == 1; }));
  CHECK(seen.reads == before);
  CHECK(seen.breaks == 0);
}

TEST_CASE_METHOD(StreamFixture, "TcpStream writes parts in order and completes the last",
                 "[tcp_stream]") {
  const std::string large = Pattern(3'000'000);
  std::vector<std::string> done;
  const auto note = [&](std::string what) {
    return [&done, what](const absl::Status& status) { done.push_back(status.ok() ? what : "no"); };
  };
  std::string expected;
  std::vector<Bytes> parts;
  for (int i = 0; i < 100; ++i) {
    const std::string part(static_cast<size_t>(i), static_cast<char>('a' + i % 26));
    expected += part;
    parts.emplace_back(part);
  }
  stream->WriteAll(std::move(parts), note("parts"));
  stream->WriteAll({Bytes::Copy("head"), Bytes(large)}, note("large"));
  stream->Write(Bytes::Copy("tail"), note("tail"));
  expected += "head" + large + "tail";
  CHECK(done.empty());
  std::string got;
  CHECK(Until([&] {
    got += ReadNow(peer.get()).bytes;
    return got.size() == expected.size() && done.size() == 3;
  }));
  CHECK(got == expected);
  CHECK(done == std::vector<std::string>{"parts", "large", "tail"});
}

TEST_CASE_METHOD(StreamFixture, "TcpStream fails all parts when it breaks, with one completion",
                 "[tcp_stream]") {
  int failed = 0;
  peer.Reset();
  stream->WriteAll({Bytes::Copy("a"), Bytes::Copy("b")},
                   [&](const absl::Status& status) { failed += status.ok() ? 0 : 1; });
  CHECK(Until([&] { return failed == 1 && seen.breaks == 1; }));
}

}  // namespace
}  // namespace culvert::net
