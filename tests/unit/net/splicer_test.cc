#include "net/splicer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <csignal>
#include <thread>

#include "tests/support/segments.h"
#include "tests/unit/net/splice_fixture.h"

namespace culvert::net {
namespace {

TEST_CASE("Splicer moves bytes exactly, both ways at once", "[splicer]") {
  const int pipes = GENERATE(512, 0);  // 0: it copies
  const auto connect = GENERATE(ConnectedPair, UnixPair);
  SplicerFixture test({.loops = 1, .pipes = pipes});
  Link link = test.Join(connect);
  CHECK(test.ExchangesBytes(link, "x"));
  CHECK(test.ExchangesBytes(link, Pattern(5'000'001)));
  CHECK(test.splicer->Moved(link.id) == std::array<uint64_t, 2>{5'000'002, 5'000'002});
  CHECK(test.ends.empty());
}

TEST_CASE("Splicer passes on what came before it joined the sockets", "[splicer]") {
  SplicerFixture test;
  auto [left, left_near] = ConnectedPair();
  auto [right, right_near] = ConnectedPair();
  test::SetNonBlocking(left_near.get());
  test::SetNonBlocking(right_near.get());
  test::SendAll(left.get(), "early");
  REQUIRE(shutdown(left.get(), SHUT_WR) == 0);
  test.splicer->Join(UniqueFd(left_near.Release()), UniqueFd(right_near.Release()));
  const PeerRead read = test.ReadAll(right.get());
  CHECK(read.bytes == "early");
  CHECK(read.eof);
}

TEST_CASE("Splicer passes on an end in one segment with the bytes before it", "[splicer]") {
  SplicerFixture test;
  auto [left, left_near] = ConnectedPair();
  auto [right, right_near] = ConnectedPair();
  test::SetNonBlocking(left_near.get());
  test::SetNonBlocking(right_near.get());
  const uint32_t before = test::SegmentsTo(right.get());
  test::SendAll(left.get(), "last words");
  REQUIRE(shutdown(left.get(), SHUT_WR) == 0);
  test.splicer->Join(UniqueFd(left_near.Release()), UniqueFd(right_near.Release()));
  CHECK(test.ReadAll(right.get()).bytes == "last words");
  CHECK(test::SegmentsTo(right.get()) == before + 1);
}

TEST_CASE("Splicer passes on an end behind all bytes, and the other direction goes on",
          "[splicer]") {
  const int pipes = GENERATE(512, 0);
  const int side = GENERATE(0, 1);
  SplicerFixture test({.loops = 1, .pipes = pipes});
  Link link = test.Join();
  const std::string bytes = Pattern(300'000);
  std::thread sender([&] {
    send(link.end(side).get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    shutdown(link.end(side).get(), SHUT_WR);
  });
  const PeerRead read = test.ReadAll(link.end(1 - side).get());
  sender.join();
  CHECK(read.eof);
  CHECK(read.bytes == bytes);

  test::SendAll(link.end(1 - side).get(), "still here");
  CHECK(test.ReadAll(link.end(side).get(), 10).bytes == "still here");
  CHECK(test.ends.empty());
}

TEST_CASE("Splicer passes on an end before the first byte", "[splicer]") {
  SplicerFixture test;
  Link link = test.Join();
  REQUIRE(shutdown(link.right.get(), SHUT_WR) == 0);
  CHECK(test.ReadAll(link.left.get()).eof);
  test::SendAll(link.left.get(), "x");
  CHECK(test.ReadAll(link.right.get(), 1).bytes == "x");
}

TEST_CASE("Splicer closes both sockets in order when both directions have ended", "[splicer]") {
  SplicerFixture test;
  Link link = test.Join();
  test::SendAll(link.left.get(), "to the right");
  REQUIRE(shutdown(link.left.get(), SHUT_WR) == 0);
  REQUIRE(shutdown(link.right.get(), SHUT_WR) == 0);
  const SpliceEnd end = test.EndOf(link.id);
  CHECK(end.outcome == SpliceOutcome::kFinished);
  CHECK(end.error == 0);
  CHECK(end.bytes == std::array<uint64_t, 2>{12, 0});
  CHECK_FALSE(test.splicer->Moved(link.id));
  CHECK(test.splicer->size() == 0);
  const PeerRead read = test.ReadAll(link.right.get());
  CHECK(read.bytes == "to the right");
  CHECK(read.eof);
  CHECK(read.error == 0);
  CHECK(test.ReadAll(link.left.get()).eof);
}

TEST_CASE("Splicer that has closed in order leaves the last bytes to a slow reader", "[splicer]") {
  SplicerFixture test;
  auto [left, left_near] = ConnectedPair();
  auto [right, right_near] = ConnectedPair();
  test::SetNonBlocking(left_near.get());
  test::SetNonBlocking(right_near.get());
  const int room = 4 << 20;
  setsockopt(right_near.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  const uint64_t id =
      test.splicer->Join(UniqueFd(left_near.Release()), UniqueFd(right_near.Release()));
  REQUIRE(shutdown(right.get(), SHUT_WR) == 0);
  const std::string bytes = Pattern(300'000);
  test::SendAll(left.get(), bytes);
  REQUIRE(shutdown(left.get(), SHUT_WR) == 0);
  CHECK(test.EndOf(id).outcome == SpliceOutcome::kFinished);
  const PeerRead read = test.ReadAll(right.get());
  CHECK(read.bytes == bytes);
  CHECK(read.eof);
}

TEST_CASE("Splicer resets one end when the other is reset", "[splicer]") {
  const int side = GENERATE(0, 1);
  SplicerFixture test;
  Link link = test.Join();
  REQUIRE(test.ExchangesBytes(link, "x"));
  link.end(side).Reset();
  CHECK(test.ReadAll(link.end(1 - side).get()).error == ECONNRESET);
  CHECK(test.EndOf(link.id).outcome == SpliceOutcome::kReset);
}

TEST_CASE("Splicer sees a reset behind a half-close", "[splicer]") {
  const int side = GENERATE(0, 1);
  SplicerFixture test;
  Link link = test.Join();
  REQUIRE(shutdown(link.end(side).get(), SHUT_WR) == 0);
  REQUIRE(test.ReadAll(link.end(1 - side).get()).eof);
  link.end(side).Reset();
  const SpliceEnd end = test.EndOf(link.id);
  CHECK(end.outcome == SpliceOutcome::kReset);
  CHECK(send(link.end(1 - side).get(), "x", 1, MSG_NOSIGNAL) < 0);
}

TEST_CASE("Splicer sees a reset of either end while nothing can move", "[splicer]") {
  const int side = GENERATE(0, 1);
  const int pipes = GENERATE(512, 0);
  SplicerFixture test({.loops = 1, .pipes = pipes});
  Link link = test.Join();
  SplicerFixture::Fill(link.left.get(), Pattern(64 << 20));
  CHECK(test.ends.empty());
  link.end(side).Reset();
  CHECK(test.EndOf(link.id).outcome == SpliceOutcome::kReset);
  CHECK(test.ReadAll(link.end(1 - side).get()).error == ECONNRESET);
}

TEST_CASE("Splicer holds a bounded amount for a peer that does not read, and loses none of it",
          "[splicer][slow]") {
  const int pipes = GENERATE(512, 0);
  SplicerFixture test({.loops = 1, .pipes = pipes});
  Link link = test.Join();
  const std::string bytes = Pattern(64 << 20);
  size_t sent = SplicerFixture::Fill(link.left.get(), bytes);
  CHECK(sent < (32 << 20));  // what the kernel holds for four sockets, and one pipe
  // The other direction is none of that.
  test::SendAll(link.right.get(), "back");
  CHECK(test.ReadAll(link.left.get(), 4).bytes == "back");
  std::string got;
  CHECK(test.Until([&] {
    sent += SendSome(link.left.get(), std::string_view(bytes).substr(sent));
    got += ReadNow(link.right.get()).bytes;
    return got.size() >= bytes.size();
  }));
  CHECK(got == bytes);
}

TEST_CASE("Splicer probes a peer late that has finished", "[splicer]") {
  SplicerFixture test;
  auto [left, left_near] = ConnectedPair();
  auto [right, right_near] = ConnectedPair();
  test::SetNonBlocking(left_near.get());
  test::SetNonBlocking(right_near.get());
  const int near_fd = left_near.get();
  test.splicer->Join(UniqueFd(left_near.Release()), UniqueFd(right_near.Release()));
  REQUIRE(shutdown(left.get(), SHUT_WR) == 0);
  REQUIRE(test.ReadAll(right.get()).eof);
  // If it closed for good, its kernel answers a probe with a reset when a minute has gone by.
  int idle = 0;
  socklen_t size = sizeof(idle);
  REQUIRE(getsockopt(near_fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size) == 0);
  CHECK(idle == 2 * 60 * 60);
}

TEST_CASE("Splicer resets both ends of a pair that is cut", "[splicer]") {
  SplicerFixture test;
  Link link = test.Join();
  Link other = test.Join();
  REQUIRE(test.ExchangesBytes(link, "x"));
  test.splicer->Cut(link.id);
  const SpliceEnd end = test.EndOf(link.id);
  CHECK(end.outcome == SpliceOutcome::kCut);
  CHECK(end.bytes == std::array<uint64_t, 2>{1, 1});
  CHECK(test.ReadAll(link.left.get()).error == ECONNRESET);
  CHECK(test.ReadAll(link.right.get()).error == ECONNRESET);
  test.splicer->Cut(link.id);
  CHECK(test.ExchangesBytes(other, "y"));
  CHECK(test.ends.size() == 1);
}

TEST_CASE("Splicer can cut a pair at full speed, and one that was joined just now", "[splicer]") {
  SplicerFixture test({.loops = 1, .pipes = 512});
  Link link = test.Join();
  const std::string bytes = Pattern(1 << 20);
  REQUIRE(test.Until([&] {
    SendSome(link.left.get(), bytes);
    ReadNow(link.right.get());
    return *test.splicer->Moved(link.id) > std::array<uint64_t, 2>{8 << 20, 0};
  }));
  SendSome(link.left.get(), bytes);
  test.splicer->Cut(link.id);
  CHECK(test.EndOf(link.id).outcome == SpliceOutcome::kCut);

  Link unborn = test.Join();
  test.splicer->Cut(unborn.id);
  CHECK(test.EndOf(unborn.id).outcome == SpliceOutcome::kCut);
}

TEST_CASE("Splicer resets what is left when it is destroyed, and says no more", "[splicer]") {
  SplicerFixture test;
  Link idle = test.Join();
  Link stalled = test.Join();
  SplicerFixture::Fill(stalled.left.get(), Pattern(64 << 20));
  Link ended = test.Join();
  ended.left.Reset();  // its end may be on its way
  test.splicer.reset();
  CHECK(test.ReadAll(idle.left.get()).error == ECONNRESET);
  CHECK(test.ReadAll(idle.right.get()).error == ECONNRESET);
  CHECK(test.ReadAll(stalled.right.get()).error == ECONNRESET);
  CHECK(test.ReadAll(ended.right.get()).error == ECONNRESET);
  CHECK(test.ends.empty());
}

TEST_CASE("Splicer gets no SIGPIPE from a peer that is gone", "[splicer]") {
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  const int pipes = GENERATE(512, 0);
  SplicerFixture test({.loops = 1, .pipes = pipes});
  Link link = test.Join(UnixPair);
  link.right.Close();
  REQUIRE(test.ReadAll(link.left.get()).eof);
  test::SendAll(link.left.get(), "nobody reads this");
  CHECK(test.EndOf(link.id).outcome == SpliceOutcome::kReset);
  std::signal(SIGPIPE, before);
}

}  // namespace
}  // namespace culvert::net
