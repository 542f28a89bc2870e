#include "crypto/tls_keys.h"

#include <numeric>
#include <string>

#include "absl/strings/escaping.h"
#include "tests/support/catch.h"

namespace culvert::crypto {
namespace {

std::string Hex(const unsigned char* bytes, size_t size) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), size});
}

// Bytes that count up.
struct Fixture {
  Fixture() {
    std::iota(master.secret.data(), master.secret.data() + master.secret.size(), 0);
    std::iota(master.client_random.data(), master.client_random.data() + 32, 100);
    std::iota(master.server_random.data(), master.server_random.data() + 32, 200);
  }
  TlsMaster master;
};

// What is expected was computed by HMAC, with Python's hashlib, as RFC 5246 section 5 has it.

TEST_CASE_METHOD(Fixture, "The keys of a TLS session are those of RFC 5246", "[tls_keys]") {
  TlsKeys client;
  DeriveTlsKeys(master, TlsRole::kClient, &client);
  CHECK(Hex(client.seal.key.data(), 16) == "de62d3ee5dc8b42d2f657afce5c1a5bd");
  CHECK(Hex(client.open.key.data(), 16) == "07033d2a02facf4db7c22ce88bf3cca3");
  CHECK(Hex(client.seal.nonce.data(), 4) == "5f352e46");
  CHECK(Hex(client.open.nonce.data(), 4) == "b91ee32d");
  TlsKeys server;
  DeriveTlsKeys(master, TlsRole::kServer, &server);
  CHECK(Hex(server.open.key.data(), 16) == Hex(client.seal.key.data(), 16));
  CHECK(Hex(server.seal.nonce.data(), 4) == Hex(client.open.nonce.data(), 4));
}

TEST_CASE_METHOD(Fixture, "The keys of a session with ChaCha20 are longer", "[tls_keys]") {
  TlsKeys client;
  client.suite = TlsSuite::kChaCha20Poly1305;
  DeriveTlsKeys(master, TlsRole::kClient, &client);
  CHECK(Hex(client.seal.key.data(), 32) ==
        "de62d3ee5dc8b42d2f657afce5c1a5bd07033d2a02facf4db7c22ce88bf3cca3");
  CHECK(Hex(client.open.nonce.data(), 12) == "177294f30b8d166c80af4fdb");
}

TEST_CASE_METHOD(Fixture, "What a TLS session exports is that of RFC 5705", "[tls_keys]") {
  Secret<kExportedBytes> exported;
  DeriveExported(master, &exported);
  CHECK(Hex(exported.data(), exported.size()) ==
        "31cd5c83e980b7f429d0de2e350b89676a4334735da6561d85f6e1ae3fc7aa23");
}

}  // namespace
}  // namespace culvert::crypto
