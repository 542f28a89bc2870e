#include "crypto/tls_engine.h"

#include <thread>

#include "crypto/random.h"
#include "tests/support/catch.h"
#include "tests/support/tls_pair.h"

namespace culvert::crypto {
namespace {

using namespace std::chrono_literals;
using Role = SpiffeId::Role;

std::string Text(const absl::StatusOr<Bytes>& bytes) { return std::string(bytes.value().view()); }

// Sends `text` and takes it out again.
std::string Through(TlsRecords& from, TlsRecords& to, std::string_view text) {
  return std::string(to.Open(Text(from.Seal(text))).value().data.view());
}

std::string Exported(const TlsSecured& end) {
  return {reinterpret_cast<const char*>(end.exported->data()), end.exported->size()};
}

// What both ends say of a handshake that must not succeed.
std::pair<std::string, std::string> Refusals(TlsPair& pair) {
  pair.Shake();
  return {std::string(pair.client_status.message()), std::string(pair.server_status.message())};
}

TEST_CASE("Two engines shake hands and know each other", "[tls]") {
  const TlsProject project;
  const auto suite = GENERATE(TlsSuite::kAes128Gcm, TlsSuite::kChaCha20Poly1305);
  TlsOptions options;
  options.suites = {suite};
  TlsPair pair(project.Client(options), project.Server());
  pair.Shake();
  REQUIRE(pair.ok());
  TlsSecured client = pair.client.TakeSecured();
  TlsSecured server = pair.server.TakeSecured();
  CHECK(client.peer == project.agent.certificate);
  CHECK(server.peer == project.user.certificate);
  CHECK(client.suite == suite);
  CHECK(server.suite == suite);
  CHECK_FALSE(client.resumed);
  CHECK_FALSE(server.resumed);
  CHECK(server.session == nullptr);
  CHECK(Through(*client.records, *server.records, "up") == "up");
  CHECK(Through(*server.records, *client.records, "down") == "down");
  CHECK(Exported(client) == Exported(server));
  CHECK(Exported(client) != std::string(kExportedBytes, '\0'));
}

TEST_CASE("A handshake bears being cut into single bytes", "[tls]") {
  const TlsProject project;
  TlsPair pair(project.Client(), project.Server());
  pair.Shake(1);
  REQUIRE(pair.ok());
  CHECK(Through(*pair.client.TakeSecured().records, *pair.server.TakeSecured().records, "x") ==
        "x");
}

TEST_CASE("A session is resumed any number of times, and names the same peers", "[tls]") {
  const TlsProject project;
  const auto client_context = project.Client();
  const auto server_context = project.Server();
  const TlsExpectation agent{"default", {Role::kAgent}, "edge-1"};
  const TlsExpectation user{"default", {Role::kUser, Role::kAgent}, std::nullopt};
  std::shared_ptr<const TlsSession> session;
  std::string first_exported;
  for (int i = 0; i < 3; ++i) {
    TlsPair pair(client_context, server_context, project.now, session);
    pair.Shake();
    REQUIRE(pair.ok());
    TlsSecured client = pair.client.TakeSecured();
    TlsSecured server = pair.server.TakeSecured();
    CHECK(client.resumed == (i > 0));
    CHECK(server.resumed == (i > 0));
    CHECK(client.peer == project.agent.certificate);
    CHECK(server.peer == project.user.certificate);
    CHECK(client_context->CheckPeer(client.peer, agent, project.now).ok());
    CHECK(server_context->CheckPeer(server.peer, user, project.now).ok());
    CHECK(server_context->CheckPeer(server.peer, user, project.now + 48h) ==
          absl::UnauthenticatedError("certificate: it has expired"));
    CHECK(Through(*client.records, *server.records, "up") == "up");
    CHECK(Through(*server.records, *client.records, "down") == "down");
    CHECK(Exported(client) == Exported(server));
    CHECK(Exported(client) != first_exported);
    first_exported = Exported(client);
    session = client.session;
    REQUIRE(session != nullptr);
  }
}

TEST_CASE("A server that does not know a ticket shakes hands in full", "[tls]") {
  const TlsProject project;
  const auto client_context = project.Client();
  const auto server_context = project.Server();
  TlsPair first(client_context, server_context);
  first.Shake();
  REQUIRE(first.ok());
  const auto session = first.client.TakeSecured().session;

  TlsOptions kept;
  kept.tickets = server_context->tickets();
  for (const bool known : {false, true}) {
    TlsPair pair(client_context, project.Server(known ? kept : TlsOptions()), project.now, session);
    pair.Shake();
    REQUIRE(pair.ok());
    CHECK(pair.client.TakeSecured().resumed == known);
    CHECK(pair.server.TakeSecured().resumed == known);
  }
}

TEST_CASE("A ticket that was changed anywhere resumes nothing", "[tls]") {
  const TlsProject project;
  const auto client_context = project.Client();
  const auto server_context = project.Server();
  TlsPair first(client_context, server_context);
  first.Shake();
  const auto session = first.client.TakeSecured().session;
  TlsEngine client(client_context, project.now, session);
  REQUIRE(client.Handshake().ok());
  std::string hello = client.TakeOutput();
  hello[hello.size() / 2] = static_cast<char>(hello[hello.size() / 2] ^ 1);
  TlsEngine server(server_context, project.now);
  REQUIRE(server.Feed(hello).ok());
  REQUIRE(server.Handshake().ok());
  // ServerKeyExchange is in the answer: the handshake is a full one.
  CHECK(server.TakeOutput().size() > 600);
}

TEST_CASE("Bytes that follow the peer's Finished are handed on", "[tls]") {
  const TlsProject project;
  const auto client_context = project.Client();
  const auto server_context = project.Server();
  TlsPair first(client_context, server_context);
  first.Shake();
  const auto session = first.client.TakeSecured().session;

  TlsEngine client(client_context, project.now, session);
  TlsEngine server(server_context, project.now);
  REQUIRE(client.Handshake().ok());
  REQUIRE(server.Feed(client.TakeOutput()).ok());
  REQUIRE(*server.Handshake() == TlsEngine::Progress::kWantsBytes);
  REQUIRE(client.Feed(server.TakeOutput()).ok());
  REQUIRE(*client.Handshake() == TlsEngine::Progress::kDone);
  TlsSecured client_end = client.TakeSecured();
  // A resumed client speaks first: all in one flight.
  REQUIRE(server.Feed(client.TakeOutput() + Text(client_end.records->Seal("early "))).ok());
  REQUIRE(*server.Handshake() == TlsEngine::Progress::kDone);
  REQUIRE(server.Feed(Text(client_end.records->Seal("and late"))).ok());
  TlsSecured server_end = server.TakeSecured();
  CHECK(server_end.records->Open(server_end.rest)->data.view() == "early and late");
}

TEST_CASE("Neither end accepts another authority's certificate", "[tls]") {
  const TlsProject ours;
  const TlsProject theirs;
  const std::string refused = "certificate: issued by another authority";
  SECTION("at the server") {
    const auto client = TlsContext::Create(TlsRole::kClient, theirs.user.certificate,
                                           theirs.user.key, ours.authority.certificate());
    TlsPair pair(*client, ours.Server());
    CHECK(Refusals(pair) ==
          std::pair<std::string, std::string>("the peer refuses: unknown_ca", refused));
    CHECK(absl::IsUnauthenticated(pair.server_status));
  }
  SECTION("at the client") {
    TlsPair pair(theirs.Client(), ours.Server());
    CHECK(Refusals(pair) ==
          std::pair<std::string, std::string>(refused, "the peer refuses: unknown_ca"));
  }
}

TEST_CASE("Certificates are judged by the time that is given, with leeway", "[tls]") {
  const TlsProject project;
  const auto [end, error] = GENERATE(table<std::chrono::minutes, std::string>({
      {4min, ""},
      {-4min, ""},
      {-6min, "certificate: it has expired"},
      {48h + 6min, "certificate: it is not valid yet"},
      {48h + 4min, ""},
  }));
  const TlsIdentity user =
      project.IssueUntil(Role::kUser, "bob", {Usage::kClient}, project.now + end);
  TlsPair pair(project.Context(TlsRole::kClient, user), project.Server(), project.now);
  const auto [client_error, server_error] = Refusals(pair);
  CHECK(server_error == error);
  CHECK((error.empty() || client_error == (end < 0min ? "the peer refuses: certificate_expired"
                                                      : "the peer refuses: access_denied")));
}

TEST_CASE("Whoever shows no certificate is refused", "[tls]") {
  const TlsProject project;
  // ClientKeyExchange cannot come where Certificate is due; the empty list is tried with OpenSSL.
  TlsPair pair(project.Client(), project.Server());
  REQUIRE(pair.client.Handshake().ok());
  REQUIRE(pair.server.Feed(pair.client.TakeOutput()).ok());
  REQUIRE(pair.server.Handshake().ok());
  const std::string empty_certificates("\x16\x03\x03\x00\x07\x0b\x00\x00\x03\x00\x00\x00", 12);
  REQUIRE(pair.server.Feed(empty_certificates).ok());
  CHECK(pair.server.Handshake().status() ==
        absl::UnauthenticatedError("the peer shows no certificate"));
}

TEST_CASE("A context takes only a key and a certificate that belong together", "[tls]") {
  const TlsProject project;
  const Certificate& ca = project.authority.certificate();
  CHECK_FALSE(
      TlsContext::Create(TlsRole::kServer, project.agent.certificate, project.user.key, ca).ok());
  CHECK_FALSE(TlsContext::Create(TlsRole::kServer, project.agent.certificate, project.agent.key,
                                 project.user.certificate)
                  .ok());
  const TlsIdentity no_server = project.Issue(Role::kUser, "bob", {Usage::kClient});
  CHECK_FALSE(TlsContext::Create(TlsRole::kServer, no_server.certificate, no_server.key, ca).ok());
  TlsOptions none;
  none.suites.clear();
  CHECK_FALSE(
      TlsContext::Create(TlsRole::kServer, project.agent.certificate, project.agent.key, ca, none)
          .ok());
}

TEST_CASE("Ends without a common suite part with an alert", "[tls]") {
  const TlsProject project;
  TlsOptions client;
  client.suites = {TlsSuite::kChaCha20Poly1305};
  TlsOptions server;
  server.suites = {TlsSuite::kAes128Gcm};
  TlsPair pair(project.Client(client), project.Server(server));
  CHECK(Refusals(pair).first == "the peer refuses: handshake_failure");
  CHECK_FALSE(pair.server_status.ok());
  CHECK(pair.server.Handshake().status() == pair.server_status);
  CHECK(pair.server.Feed("x") == pair.server_status);
}

TEST_CASE("A byte changed anywhere in the handshake fails it", "[tls][slow]") {
  const TlsProject project;
  const auto client_context = project.Client();
  const auto server_context = project.Server();
  // Each of the flights, at positions that meet headers, randoms, certificates and Finished.
  for (int flight = 0; flight < 4; ++flight) {
    for (size_t step = 1; step < 12; ++step) {
      TlsEngine ends[2] = {{client_context, project.now}, {server_context, project.now}};
      std::string bytes;
      bool failed = false;
      for (int turn = 0; turn < 6 && !failed; ++turn) {
        TlsEngine& end = ends[turn % 2];
        failed = !end.Feed(bytes).ok() || !end.Handshake().ok();
        bytes = end.TakeOutput();
        const size_t at = bytes.size() * step / 12;
        if (turn == flight && at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 4);
      }
      // A length that grew leaves an end waiting for ever.
      const bool done = !failed && *ends[0].Handshake() == TlsEngine::Progress::kDone &&
                        *ends[1].Handshake() == TlsEngine::Progress::kDone;
      CAPTURE(flight, step);
      CHECK_FALSE(done);
    }
  }
}

TEST_CASE("Garbage and endless handshakes are refused", "[tls]") {
  const TlsProject project;
  const auto context = project.Server();
  SECTION("garbage") {
    for (int i = 0; i < 200; ++i) {
      TlsEngine engine(context, project.now);
      REQUIRE(engine.Feed(RandomBytes(1 + static_cast<size_t>(i))).ok());
      const auto progress = engine.Handshake();
      CHECK((!progress.ok() || *progress == TlsEngine::Progress::kWantsBytes));
    }
  }
  SECTION("warnings without end") {
    TlsEngine client(project.Client(), project.now);
    REQUIRE(client.Handshake().ok());
    TlsEngine server(context, project.now);
    REQUIRE(server.Feed(client.TakeOutput()).ok());
    REQUIRE(server.Handshake().ok());
    const std::string user_canceled("\x15\x03\x03\x00\x02\x01\x5a", 7);
    size_t fed = 0;
    while (fed < TlsEngine::kMostHandshake && server.Handshake().ok()) {
      REQUIRE(server.Feed(user_canceled).ok());
      fed += user_canceled.size();
    }
    CHECK(server.Handshake().status() ==
          absl::ResourceExhaustedError("the peer's side of the handshake is too long"));
  }
  SECTION("too much at once") {
    TlsEngine engine(context, project.now);
    CHECK(engine.Feed(std::string(TlsEngine::kMostUnread, 'x')).ok());
    CHECK(absl::IsResourceExhausted(engine.Feed("x")));
    CHECK(absl::IsResourceExhausted(engine.Handshake().status()));
  }
}

TEST_CASE("Handshakes of one context run beside each other", "[tls]") {
  const TlsProject project;
  const auto client_context = project.Client();
  const auto server_context = project.Server();
  constexpr int kThreads = 3;
  constexpr int kEach = 4;
  std::vector<int> done(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      std::shared_ptr<const TlsSession> session;
      for (int i = 0; i < kEach; ++i) {
        TlsPair pair(client_context, server_context, project.now, i % 2 == 1 ? session : nullptr);
        pair.Shake();
        if (!pair.ok()) return;
        const TlsSecured client = pair.client.TakeSecured();
        session = client.session;
        const TlsExpectation agent{"default", {Role::kAgent}, "edge-1"};
        const bool good = client.resumed == (i % 2 == 1) &&
                          client_context->CheckPeer(client.peer, agent, project.now).ok();
        done[static_cast<size_t>(thread)] += good ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(done == std::vector<int>(kThreads, kEach));
}

}  // namespace
}  // namespace culvert::crypto
