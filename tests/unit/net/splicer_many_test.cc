#include <dirent.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "net/event_loop.h"
#include "tests/unit/net/splice_fixture.h"

namespace culvert::net {
namespace {

int OpenDescriptors() {
  DIR* const folder = opendir("/proc/self/fd");
  REQUIRE(folder != nullptr);
  int count = -3;  // ".", ".." and the folder's own
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

// Raises the soft limit as the programs do.
void NeedDescriptors(rlim_t count) {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  REQUIRE(limit.rlim_cur > count);
}

TEST_CASE("Splicer serves 1,000 pairs at once, each exactly", "[splicer][slow]") {
  NeedDescriptors(5'000);
  SplicerFixture test({.loops = 2, .pipes = 512});
  const std::string bytes = Pattern(20'000);
  std::vector<Link> links;
  for (int i = 0; i < 1'000; ++i) links.push_back(test.Join());
  for (size_t i = 0; i < links.size(); ++i) {
    test::SendAll(links[i].left.get(), std::string_view(bytes).substr(i));
    REQUIRE(shutdown(links[i].left.get(), SHUT_WR) == 0);
  }
  int wrong = 0;
  for (size_t i = 0; i < links.size(); ++i) {
    const PeerRead read = test.ReadAll(links[i].right.get());
    if (!read.eof || read.bytes != std::string_view(bytes).substr(i)) ++wrong;
    REQUIRE(shutdown(links[i].right.get(), SHUT_WR) == 0);
  }
  CHECK(wrong == 0);
  CHECK(test.Until([&] { return test.splicer->size() == 0; }));
  CHECK(std::all_of(test.ends.begin(), test.ends.end(),
                    [](const SpliceEnd& end) { return end.outcome == SpliceOutcome::kFinished; }));
}

TEST_CASE("An idle pair holds two descriptors and no pipe", "[splicer]") {
  NeedDescriptors(1'000);
  SplicerFixture test({.loops = 1, .pipes = 512});
  std::vector<Link> links;
  const int before = OpenDescriptors();
  for (int i = 0; i < 100; ++i) {
    links.push_back(test.Join());
    REQUIRE(test.ExchangesBytes(links.back(), Pattern(1'000)));
  }
  // Two at the far ends and two here; one pipe was enough for all in turn.
  CHECK(OpenDescriptors() <= before + 100 * 4 + 2 * 2);
}

// Processor time of the splice loops until now.
double LoopSeconds() {
  double nanoseconds = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    double of_task = 0;
    if (name == "culvert-splice") std::ifstream(task.path() / "schedstat") >> of_task;
    nanoseconds += of_task;
  }
  return nanoseconds / 1e9;
}

TEST_CASE("Pairs in which nothing moves do not keep their loop busy", "[splicer]") {
  const int pipes = GENERATE(512, 0);
  SplicerFixture test({.loops = 1, .pipes = pipes});
  Link idle = test.Join();
  REQUIRE(test.ExchangesBytes(idle, "x"));
  Link half_closed = test.Join();
  REQUIRE(shutdown(half_closed.left.get(), SHUT_WR) == 0);
  REQUIRE(test.ReadAll(half_closed.right.get()).eof);
  Link stalled = test.Join();
  SplicerFixture::Fill(stalled.left.get(), Pattern(64 << 20));
  // Both ends of the reader's socket are finished then, and epoll calls that a hang-up.
  REQUIRE(shutdown(stalled.left.get(), SHUT_WR) == 0);
  REQUIRE(shutdown(stalled.right.get(), SHUT_WR) == 0);
  REQUIRE(test.ReadAll(stalled.left.get()).eof);
  const double before = LoopSeconds();
  REQUIRE(before > 0);
  CHECK_FALSE(test.control.RunUntil([&] { return !test.ends.empty(); }, 300ms));
  CHECK(LoopSeconds() - before < 0.03);
}

TEST_CASE("Splicer copies when stalled pairs hold all pipes", "[splicer][slow]") {
  SplicerFixture test({.loops = 2, .pipes = 2});
  const std::string much = Pattern(64 << 20);
  std::vector<Link> stalled;
  std::vector<size_t> sent;
  for (int i = 0; i < 4; ++i) {
    stalled.push_back(test.Join());
    sent.push_back(SplicerFixture::Fill(stalled.back().left.get(), much));
  }
  for (int i = 0; i < 2; ++i) {
    Link link = test.Join();
    CHECK(test.ExchangesBytes(link, Pattern(2'000'000)));
  }
  for (size_t i = 0; i < stalled.size(); ++i) {
    REQUIRE(shutdown(stalled[i].left.get(), SHUT_WR) == 0);
    const PeerRead read = test.ReadAll(stalled[i].right.get());
    CHECK(read.eof);
    CHECK(read.bytes == std::string_view(much).substr(0, sent[i]));
  }
}

TEST_CASE("A budget of pipes is shared and never exceeded", "[splicer]") {
  PipeBudget budget(3);
  PipePool one(budget);
  PipePool other(budget);
  std::unique_ptr<Pipe> first = one.Take();
  std::unique_ptr<Pipe> second = other.Take();
  std::unique_ptr<Pipe> third = one.Take();
  REQUIRE((first && second && third));
  CHECK(first->capacity() >= Pipe::kFewestBytes);
  CHECK(other.Take() == nullptr);
  const int used = first->writer();
  one.Return(std::move(first));
  CHECK(other.Take() == nullptr);  // it is still the other pool's
  CHECK(one.Take()->writer() == used);
  CHECK(budget.left() == 1);
}

TEST_CASE("A pair moves at most 256 KiB per direction and turn", "[splicer]") {
  PipeBudget budget(GENERATE(8, 0));
  PipePool pool(budget);
  EventLoop loop;
  auto [left, left_near] = ConnectedPair();
  auto [right, right_near] = ConnectedPair();
  test::SetNonBlocking(left_near.get());
  test::SetNonBlocking(right_near.get());
  auto counts = std::make_shared<SpliceCounts>();
  SplicePair pair(1, {UniqueFd(left_near.Release()), UniqueFd(right_near.Release())}, counts);
  const std::string bytes = Pattern(8 << 20);
  std::string got;
  size_t sent = 0;
  uint64_t most = 0;
  int shares = 0;
  while (got.size() < bytes.size()) {
    sent += SendSome(left.get(), std::string_view(bytes).substr(sent));
    // Nothing is asked of epoll here: to hear of what is not there is no harm.
    for (int side : {0, 1}) pair.Note(side, EPOLLIN | EPOLLOUT);
    const uint64_t before = counts->moved[0];
    const SplicePair::Turn turn = pair.Run(pool, loop.scratch());
    REQUIRE(turn != SplicePair::Turn::kEnded);
    most = std::max(most, counts->moved[0] - before);
    if (turn == SplicePair::Turn::kMore) ++shares;
    got += ReadNow(right.get()).bytes;
  }
  CHECK(got == bytes);
  CHECK(most == SplicePair::kMostPerTurn);
  CHECK(shares > 0);
}

}  // namespace
}  // namespace culvert::net
