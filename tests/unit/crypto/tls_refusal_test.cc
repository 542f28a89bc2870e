#include "crypto/random.h"
#include "tests/support/catch.h"
#include "tests/support/tls_pair.h"

namespace culvert::crypto {
namespace {

using namespace std::chrono_literals;
using Role = SpiffeId::Role;

// What both ends say of a handshake that must not succeed.
std::pair<std::string, std::string> Refusals(TlsPair& pair) {
  pair.Shake();
  return {std::string(pair.client_status.message()), std::string(pair.server_status.message())};
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

}  // namespace
}  // namespace culvert::crypto
