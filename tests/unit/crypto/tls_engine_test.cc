#include "crypto/tls_engine.h"

#include <thread>

#include "tests/support/catch.h"
#include "tests/support/tls_pair.h"

namespace culvert::crypto {
namespace {

using namespace std::chrono_literals;
using Role = SpiffeId::Role;

// Sends `text` and takes it out again.
std::string Through(TlsRecords& from, TlsRecords& to, std::string_view text) {
  return std::string(to.Open(Text(from.Seal(text))).value().data.view());
}

std::string Exported(const TlsSecured& end) {
  return {reinterpret_cast<const char*>(end.exported->data()), end.exported->size()};
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
    CHECK(client_context->CheckPeer(*client.peer, agent, project.now).ok());
    CHECK(server_context->CheckPeer(*server.peer, user, project.now).ok());
    CHECK(server_context->CheckPeer(*server.peer, user, project.now + 48h) ==
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

TEST_CASE("A server for any client resumes none and leaves times to others", "[tls]") {
  const TlsProject project;
  TlsOptions any;
  any.any_client = true;
  const auto server_context = project.Server(any);
  std::shared_ptr<const TlsSession> session;
  const auto shake = [&](const TlsIdentity& client) {
    TlsPair pair(project.Context(TlsRole::kClient, client), server_context, project.now, session);
    pair.Shake();
    REQUIRE(pair.ok());
    session = pair.client.TakeSecured().session;
    return pair.server.TakeSecured();
  };
  CHECK(shake(project.user).peer == project.user.certificate);
  // Never resumed: what the server says of the peer, it has seen in this handshake.
  const TlsSecured again = shake(project.user);
  CHECK(again.peer == project.user.certificate);
  CHECK_FALSE(again.resumed);
  session = nullptr;
  for (const auto end : {-1h, 72h}) {
    const TlsIdentity user =
        project.IssueUntil(Role::kUser, "bob", {Usage::kClient}, project.now + end);
    CHECK(shake(user).peer == user.certificate);
  }
}

TEST_CASE("A server for any client takes no certificate that is not its authority's", "[tls]") {
  const TlsProject project;
  TlsOptions any;
  any.any_client = true;
  const auto server_context = project.Server(any);
  const auto refusals = [&](const TlsIdentity& client) {
    const auto context = TlsContext::Create(TlsRole::kClient, client.certificate, client.key,
                                            project.authority.certificate());
    REQUIRE(context.ok());
    TlsPair pair(*context, server_context, project.now);
    pair.Shake();
    CHECK(pair.client_status.message() == "the peer refuses: access_denied");
    return std::string(pair.server_status.message());
  };
  SECTION("with its name and another signature") {
    const TlsProject stranger;  // whose authority has the same name
    CHECK(refusals(stranger.user) == "certificate: issued by another authority");
  }
  SECTION("with another name") {
    TlsProject stranger;
    stranger.authority =
        CertificateAuthority::Create("project other", stranger.now - 1h, stranger.now + 1h);
    const TlsIdentity user = stranger.Issue(Role::kUser, "alice", {Usage::kClient});
    CHECK(refusals(user) == "certificate: issued by another authority");
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
                          client_context->CheckPeer(*client.peer, agent, project.now).ok();
        done[static_cast<size_t>(thread)] += good ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(done == std::vector<int>(kThreads, kEach));
}

// Carries everything that there is to carry.
void Pass(TlsEngine& from, TlsEngine& to) { REQUIRE(to.Feed(from.TakeOutput()).ok()); }

TEST_CASE("A resumed handshake is little effort, a full one says that it takes long", "[tls]") {
  using Effort = TlsEngine::Effort;
  using Progress = TlsEngine::Progress;
  const TlsProject project;
  const auto client_context = project.Client();
  const auto server_context = project.Server();
  std::shared_ptr<const TlsSession> session;
  {
    TlsPair pair(client_context, server_context, project.now);
    CHECK(*pair.client.Handshake(Effort::kLittle) == Progress::kWantsBytes);
    Pass(pair.client, pair.server);
    CHECK(*pair.server.Handshake(Effort::kLittle) == Progress::kTakesLong);
    CHECK(*pair.server.Handshake(Effort::kLittle) == Progress::kTakesLong);
    CHECK(*pair.server.Handshake() == Progress::kWantsBytes);
    Pass(pair.server, pair.client);
    CHECK(*pair.client.Handshake(Effort::kLittle) == Progress::kTakesLong);
    pair.Shake();
    REQUIRE(pair.ok());
    session = pair.client.TakeSecured().session;
  }
  SECTION("resumed") {
    TlsPair pair(client_context, server_context, project.now, session);
    CHECK(*pair.client.Handshake(Effort::kLittle) == Progress::kWantsBytes);
    Pass(pair.client, pair.server);
    CHECK(*pair.server.Handshake(Effort::kLittle) == Progress::kWantsBytes);
    Pass(pair.server, pair.client);
    CHECK(*pair.client.Handshake(Effort::kLittle) == Progress::kDone);
    Pass(pair.client, pair.server);
    CHECK(*pair.server.Handshake(Effort::kLittle) == Progress::kDone);
    CHECK(pair.client.TakeSecured().resumed);
    CHECK(pair.server.TakeSecured().resumed);
  }
  SECTION("with a session that the server does not know") {
    TlsPair pair(client_context, project.Server(), project.now, session);
    CHECK(*pair.client.Handshake(Effort::kLittle) == Progress::kWantsBytes);
    Pass(pair.client, pair.server);
    CHECK(*pair.server.Handshake(Effort::kLittle) == Progress::kTakesLong);
    pair.Shake();
    REQUIRE(pair.ok());
    CHECK_FALSE(pair.client.TakeSecured().resumed);
  }
}

}  // namespace
}  // namespace culvert::crypto
