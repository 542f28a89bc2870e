#include "broker/raw_connections.h"

#include "base/status.h"
#include "tests/support/loopback.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using test::Fd;
using Response = culvert::v1::RequestConnectionResponse;

RawRequest From(const std::string& user) {
  return {.who = {{"culvert", "default", crypto::SpiffeId::Role::kUser, user}, "key of " + user},
          .address = "127.0.0.1:4711"};
}

struct RawFixture {
  net::EventLoop loop;
  std::vector<AuditEvent> events;
  AuditTrail trail{loop, [this](const AuditEvent& event) { events.push_back(event); }};
  std::unique_ptr<DataPlane> plane;
  int ends = 0;
  std::optional<RawConnections> raw;

  explicit RawFixture(const RawConnections::Limits& limits = RawConnections::Limits()) {
    DataPlane::Options options;
    options.splicer.loops = 1;
    auto started = DataPlane::Start(loop, options);
    REQUIRE(started.ok());
    plane = *std::move(started);
    raw.emplace(
        loop, plane.get(), trail, [this] { ++ends; }, limits);
  }
  ~RawFixture() { raw.reset(); }
  void Listen() { REQUIRE(plane->Listen(*net::Address::FromLiteral("127.0.0.1", 0)).ok()); }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
  Response Ask(const RawRequest& request) {
    auto response = raw->Ask(request);
    REQUIRE(response.ok());
    return *std::move(response);
  }
  Fd Dial(const std::string& first) {
    Fd fd = test::ConnectToLoopback(plane->addresses().front().port());
    test::SendAll(fd.get(), first);
    return fd;
  }
  std::pair<Fd, Fd> Meet(const RawRequest& request) {
    const Response tokens = Ask(request);
    const size_t before = raw->joined();
    Fd consumer = Dial(tokens.consumer_token());
    Fd provider = Dial(tokens.provider_token());
    REQUIRE(Until([&] { return raw->joined() == before + 1; }));
    return {std::move(consumer), std::move(provider)};
  }
  std::string Read(const Fd& fd, size_t most) {
    std::string got;
    CHECK(Until([&] {
      got += test::ReadNow(fd.get()).bytes;
      return got.size() >= most;
    }));
    return got;
  }
  bool IsReset(const Fd& fd) {
    return Until([&] { return test::ReadNow(fd.get()).error == ECONNRESET; });
  }
  std::vector<AuditKind> Kinds() const {
    std::vector<AuditKind> kinds;
    for (const AuditEvent& event : events) kinds.push_back(event.kind);
    return kinds;
  }
};

TEST_CASE("Who has no data port lends no tokens for a rendezvous", "[raw]") {
  RawFixture test;
  CHECK(absl::IsFailedPrecondition(test.raw->Ask(From("ann")).status()));
  test.raw.emplace(test.loop, nullptr, test.trail, [] {});
  CHECK(absl::IsFailedPrecondition(test.raw->Ask(From("ann")).status()));
  CHECK(test.events.empty());
}

TEST_CASE("A rendezvous is on record from its asking to its end", "[raw]") {
  RawFixture test;
  test.Listen();
  const Response tokens = test.Ask(From("ann"));
  CHECK(tokens.data_port() == test.plane->advertised_port());
  CHECK(tokens.expires_ms() == 60'000);
  CHECK(tokens.consumer_token().size() == 32);
  CHECK(tokens.consumer_token() != tokens.provider_token());
  {
    const Fd consumer = test.Dial(tokens.consumer_token() + "question");
    const Fd provider = test.Dial(tokens.provider_token() + "an answer");
    CHECK(test.Read(provider, 8) == "question");
    CHECK(test.Read(consumer, 9) == "an answer");
    CHECK(test.raw->waiting() == 0);
  }
  REQUIRE(test.Until([&] { return test.raw->joined() == 0; }));
  CHECK(test.ends == 1);
  CHECK(test.Kinds() == std::vector{AuditKind::kRendezvous, AuditKind::kOpen, AuditKind::kClose});
  for (const AuditEvent& event : test.events) {
    CHECK(event.principal == From("ann").who.id.ToString());
    CHECK(event.key == "key of ann");
    CHECK(event.address == "127.0.0.1:4711");
    CHECK(event.service == "rendezvous");
    CHECK(event.channel == test.events[0].channel);
  }
  CHECK(test.events[2].bytes_sent == 8);
  CHECK(test.events[2].bytes_received == 9);
  CHECK(test.events[2].reason.empty());
}

TEST_CASE("A reset of one side of a rendezvous is one of the other", "[raw]") {
  RawFixture test;
  test.Listen();
  auto [consumer, provider] = test.Meet(From("ann"));
  provider.Reset();
  CHECK(test.IsReset(consumer));
  REQUIRE(test.Until([&] { return test.raw->joined() == 0; }));
  CHECK(test.events.back().kind == AuditKind::kClose);
  CHECK(test.events.back().reason == "connection reset");
}

TEST_CASE("What may not go on is reset, and what waits for it is worth nothing", "[raw]") {
  RawFixture test;
  test.Listen();
  const auto [consumer, provider] = test.Meet(From("ann"));
  const auto [others, peer] = test.Meet(From("bob"));
  const Response waiting = test.Ask(From("ann"));
  test.raw->Check([](const RawRequest& request) {
    return request.who.id.name == "ann" ? absl::UnauthenticatedError("the key was revoked")
                                        : absl::OkStatus();
  });
  CHECK(test.IsReset(consumer));
  CHECK(test.IsReset(provider));
  CHECK(test.raw->waiting() == 0);
  CHECK(test.raw->joined() == 1);
  CHECK(test.ends == 1);
  CHECK(test.events.back().kind == AuditKind::kDeny);
  CHECK(test.events.back().reason == "denied: the key was revoked");
  const Fd late = test.Dial(waiting.consumer_token());
  CHECK(test.Until([&] { return test::ReadNow(late.get()).eof; }));
  test::SendAll(others.get(), "still here");
  CHECK(test.Read(peer, 10) == "still here");
}

TEST_CASE("Rendezvous that wait and that are joined are bounded together", "[raw]") {
  RawFixture test({.waiting = {.per_owner = 2, .most = 8}, .per_owner = 3, .most = 4});
  test.Listen();
  const auto first = test.Meet(From("ann"));
  const auto second = test.Meet(From("ann"));
  test.Ask(From("ann"));
  CHECK(std::string(MessageOf(test.raw->Ask(From("ann")).status())) ==
        "too many rendezvous of yours (limit 3): use or end some first");
  test.Ask(From("bob"));
  CHECK(std::string(MessageOf(test.raw->Ask(From("bob")).status())) ==
        "too many rendezvous in all (limit 4): use or end some first");
}

TEST_CASE("Rendezvous that wait are bounded by themselves", "[raw]") {
  RawFixture test({.waiting = {.per_owner = 2}});
  test.Listen();
  test.Ask(From("ann"));
  test.Ask(From("ann"));
  CHECK(absl::IsResourceExhausted(test.raw->Ask(From("ann")).status()));
  test.raw->StopWaiting();
  CHECK(test.raw->waiting() == 0);
  test.Ask(From("ann"));
}

TEST_CASE("Rendezvous whose two sides do not meet leave a record of why", "[raw]") {
  RawFixture test({.waiting = {.lifetime = 100ms}});
  test.Listen();
  const Response tokens = test.Ask(From("ann"));
  SECTION("when it is too late") {
    REQUIRE(test.Until([&] { return test.raw->waiting() == 0; }));
    CHECK(test.events.back().kind == AuditKind::kClose);
    CHECK(test.events.back().reason.find("the two did not come in time") != std::string::npos);
  }
  SECTION("when it is not allowed any more") {
    test.raw->Check([](const RawRequest&) { return absl::UnauthenticatedError("revoked"); });
    CHECK(test.events.back().kind == AuditKind::kDeny);
  }
  SECTION("when the broker stops") {
    test.raw->StopWaiting();
    CHECK(test.events.back().kind == AuditKind::kClose);
  }
  CHECK(test.events.back().channel == test.events.front().channel);
  CHECK(test.events.size() == 2);
  CHECK(test.ends == 0);
}

TEST_CASE("All that are joined are reset at the end", "[raw]") {
  RawFixture test;
  test.Listen();
  const auto [consumer, provider] = test.Meet(From("ann"));
  SECTION("of the broker") {
    test.raw->EndAll(absl::UnavailableError("broker is shutting down"));
    CHECK(test.events.back().kind == AuditKind::kClose);
  }
  SECTION("of the object") { test.raw.reset(); }
  CHECK(test.IsReset(consumer));
  CHECK(test.IsReset(provider));
}

}  // namespace
}  // namespace culvert::broker
