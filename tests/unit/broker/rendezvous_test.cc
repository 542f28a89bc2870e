#include "broker/rendezvous.h"

#include "broker/data_port.h"
#include "net/splicer.h"
#include "tests/support/loopback.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using test::Fd;

RawRequest RequestOf(const std::string& user) {
  return {.who = {{"culvert", "default", crypto::SpiffeId::Role::kUser, user}, "key of " + user}};
}

// A data port whose tokens are of rendezvous, and what joins who met.
struct RendezvousFixture {
  net::EventLoop loop;
  std::vector<net::SpliceEnd> ends;
  std::vector<std::string> met;  // who asked for those that met
  std::function<void(int fd)> before_join;
  std::unique_ptr<net::Splicer> splicer;
  Rendezvous rendezvous;
  DataPort port;

  explicit RendezvousFixture(const Rendezvous::Limits& limits = Rendezvous::Limits())
      : rendezvous(loop, limits,
                   [this](const RawRequest& request, net::UniqueFd one, net::UniqueFd other) {
                     met.push_back(request.who.id.name);
                     if (before_join) before_join(one.get());
                     splicer->Join(std::move(one), std::move(other));
                   }),
        port(loop, DataPort::Peers::kLoopback, {.token_within = 100ms},
             [this](std::string_view token, net::UniqueFd socket) {
               return rendezvous.Present(token, socket) == Rendezvous::Result::kTaken
                          ? DataPort::Verdict::kGood
                          : DataPort::Verdict::kWrong;
             }) {
    auto started =
        net::Splicer::Start(loop, {.loops = 1}, [this](const auto& end) { ends.push_back(end); });
    REQUIRE(started.ok());
    splicer = *std::move(started);
    REQUIRE(port.Listen(*net::Address::FromLiteral("127.0.0.1", 0)).ok());
  }

  Fd Dial(const std::string& first) {
    Fd fd = test::ConnectToLoopback(port.addresses().front().port());
    REQUIRE(fd.get() >= 0);
    test::SendAll(fd.get(), first);
    return fd;
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
  test::PeerRead ReadAll(int fd, size_t most = SIZE_MAX) {
    test::PeerRead all;
    CHECK(Until([&] {
      const test::PeerRead next = test::ReadNow(fd);
      all.bytes += next.bytes;
      all.eof = next.eof;
      all.error = next.error;
      return all.eof || all.error != 0 || all.bytes.size() >= most;
    }));
    return all;
  }
  // Until no socket waits for its token to be read.
  void Settle() {
    REQUIRE(Until([&, seen = false]() mutable {
      seen = seen || port.waiting() > 0;
      return seen && port.waiting() == 0;
    }));
  }
};

TEST_CASE("Two sides of a rendezvous meet, whoever comes first", "[rendezvous]") {
  const size_t first = GENERATE(size_t{0}, size_t{1});
  RendezvousFixture test;
  const auto tokens = test.rendezvous.Make(RequestOf("ann"));
  REQUIRE(tokens);
  const Fd one = test.Dial((*tokens)[first] + "early");
  const Fd other = test.Dial((*tokens)[1 - first]);
  CHECK(test.ReadAll(other.get(), 5).bytes == "early");
  test::SendAll(other.get(), "answer");
  CHECK(test.ReadAll(one.get(), 6).bytes == "answer");
  CHECK(test.rendezvous.size() == 0);
  CHECK(test.met == std::vector<std::string>{"ann"});
  REQUIRE(shutdown(one.get(), SHUT_WR) == 0);
  CHECK(test.ReadAll(other.get()).eof);
  REQUIRE(shutdown(other.get(), SHUT_WR) == 0);
  REQUIRE(test.Until([&] { return test.ends.size() == 1; }));
  CHECK(test.ends[0].outcome == net::SpliceOutcome::kFinished);
}

TEST_CASE("A side that has said all before the other comes is heard", "[rendezvous]") {
  RendezvousFixture test;
  const auto tokens = test.rendezvous.Make(RequestOf("ann"));
  const Fd one = test.Dial((*tokens)[0] + "all of it");
  REQUIRE(shutdown(one.get(), SHUT_WR) == 0);
  test.Settle();
  const Fd other = test.Dial((*tokens)[1]);
  const test::PeerRead read = test.ReadAll(other.get());
  CHECK(read.bytes == "all of it");
  CHECK(read.eof);
  test::SendAll(other.get(), "thanks");
  CHECK(test.ReadAll(one.get(), 6).bytes == "thanks");
}

TEST_CASE("Long silences after the token are no reason to end", "[rendezvous]") {
  RendezvousFixture test({.lifetime = 2s});
  const auto tokens = test.rendezvous.Make(RequestOf("ann"));
  const Fd one = test.Dial((*tokens)[0]);
  test.Settle();
  // Longer than a token may take, while one waits for the other.
  CHECK_FALSE(test.loop.RunUntil([&] { return test.rendezvous.size() == 0; }, 250ms));
  const Fd other = test.Dial((*tokens)[1]);
  REQUIRE(test.Until([&] { return test.splicer->size() == 1; }));
  // And longer than the rendezvous was good for, once they have met.
  CHECK_FALSE(test.loop.RunUntil([&] { return !test.ends.empty(); }, 2500ms));
  test::SendAll(one.get(), "after all that");
  CHECK(test.ReadAll(other.get(), 14).bytes == "after all that");
}

TEST_CASE("A rendezvous token is good once", "[rendezvous]") {
  RendezvousFixture test;
  const auto tokens = test.rendezvous.Make(RequestOf("ann"));
  const Fd one = test.Dial((*tokens)[0]);
  test.Settle();
  const Fd thief = test.Dial((*tokens)[0]);
  CHECK(test.ReadAll(thief.get()).eof);
  const Fd other = test.Dial((*tokens)[1]);
  test::SendAll(other.get(), "x");
  CHECK(test.ReadAll(one.get(), 1).bytes == "x");
}

TEST_CASE("A rendezvous to which only one side comes ends with its time", "[rendezvous]") {
  RendezvousFixture test({.lifetime = 200ms});
  const auto tokens = test.rendezvous.Make(RequestOf("ann"));
  const Fd one = test.Dial((*tokens)[0]);
  CHECK(test.ReadAll(one.get()).eof);
  CHECK(test.rendezvous.size() == 0);
  const Fd late = test.Dial((*tokens)[1]);
  CHECK(test.ReadAll(late.get()).eof);
}

TEST_CASE("A rendezvous ends when the side that waits is reset", "[rendezvous]") {
  RendezvousFixture test;
  const auto tokens = test.rendezvous.Make(RequestOf("ann"));
  Fd one = test.Dial((*tokens)[0] + "early");
  test.Settle();
  one.Reset();
  CHECK(test.Until([&] { return test.rendezvous.size() == 0; }));
}

TEST_CASE("Rendezvous are bounded by owner and in all", "[rendezvous]") {
  RendezvousFixture test({.per_owner = 2, .most = 3});
  CHECK(test.rendezvous.Make(RequestOf("ann")));
  CHECK(test.rendezvous.Make(RequestOf("ann")));
  CHECK_FALSE(test.rendezvous.Make(RequestOf("ann")));
  CHECK(test.rendezvous.Make(RequestOf("bob")));
  CHECK_FALSE(test.rendezvous.Make(RequestOf("eve")));
}

TEST_CASE("A rendezvous whose request may not go on ends, others do not", "[rendezvous]") {
  RendezvousFixture test;
  const auto tokens = test.rendezvous.Make(RequestOf("ann"));
  const auto others = test.rendezvous.Make(RequestOf("bob"));
  const Fd one = test.Dial((*tokens)[0]);
  test.Settle();
  const Fd bobs = test.Dial((*others)[0]);
  test.Settle();
  test.rendezvous.EndIf([](const RawRequest& request) {
    return request.who.id.name == "ann" ? absl::PermissionDeniedError("no") : absl::OkStatus();
  });
  CHECK(test.ReadAll(one.get()).eof);
  CHECK(test.rendezvous.CountOf(RequestOf("ann").owner()) == 0);
  const Fd late = test.Dial((*tokens)[1]);
  CHECK(test.ReadAll(late.get()).eof);
  const Fd to_bob = test.Dial((*others)[1] + "hello");
  CHECK(test.ReadAll(bobs.get(), 5).bytes == "hello");
}

TEST_CASE("The host of a side is watched while nobody writes", "[rendezvous]") {
  RendezvousFixture test;
  int keepalive = 0;
  test.before_join = [&keepalive](int fd) {
    socklen_t size = sizeof(keepalive);
    REQUIRE(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, &size) == 0);
  };
  const auto tokens = test.rendezvous.Make(RequestOf("ann"));
  const Fd one = test.Dial((*tokens)[0]);
  const Fd other = test.Dial((*tokens)[1]);
  REQUIRE(test.Until([&] { return test.splicer->size() == 1; }));
  CHECK(keepalive == 1);
}

TEST_CASE("A rendezvous goes away with a side that waits", "[rendezvous]") {
  auto test = std::make_unique<RendezvousFixture>();
  const auto tokens = test->rendezvous.Make(RequestOf("ann"));
  const Fd one = test->Dial((*tokens)[0]);
  test->Settle();
  test.reset();
  CHECK(test::ReadNow(one.get()).eof);
}

}  // namespace
}  // namespace culvert::broker
