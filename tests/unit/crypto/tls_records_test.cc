#include "crypto/tls_records.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "crypto/random.h"
#include "tests/support/catch.h"
#include "tests/support/tls_pair.h"

namespace culvert::crypto {
namespace {

constexpr auto kBothSuites = {TlsSuite::kAes128Gcm, TlsSuite::kChaCha20Poly1305};
constexpr auto kBothLayers = {RecordLayer::kLibcrypto, RecordLayer::kMbedtls};

// The two ends of a connection whose keys are made up.
struct Ends {
  explicit Ends(TlsSuite suite, RecordLayer client_layer = RecordLayer::kLibcrypto,
                RecordLayer server_layer = RecordLayer::kLibcrypto,
                uint64_t most_bytes = TlsRecords::kMostBytes) {
    TlsMaster master;
    FillRandom(master.secret.data(), master.secret.size());
    TlsKeys keys;
    keys.suite = suite;
    DeriveTlsKeys(master, TlsRole::kClient, &keys);
    client = std::make_unique<TlsRecords>(keys, client_layer, most_bytes);
    DeriveTlsKeys(master, TlsRole::kServer, &keys);
    server = std::make_unique<TlsRecords>(keys, server_layer, most_bytes);
  }

  std::unique_ptr<TlsRecords> client;
  std::unique_ptr<TlsRecords> server;
};

size_t Overhead(TlsSuite suite) { return suite == TlsSuite::kAes128Gcm ? 29 : 21; }

TEST_CASE("What one record layer seals the other opens, byte for byte the same", "[tls_records]") {
  for (const TlsSuite suite : kBothSuites) {
    for (const RecordLayer from : kBothLayers) {
      for (const RecordLayer to : kBothLayers) {
        Ends ends(suite, from, to);
        for (const size_t size : {1U, 2U, 1000U, 16383U, 16384U, 16385U, 100000U}) {
          const std::string text = RandomBytes(size);
          const std::string up = Text(ends.client->Seal(text));
          CHECK(up.size() == size + (size + 16383) / 16384 * Overhead(suite));
          CHECK(ends.server->Open(up)->data.view() == text);
          CHECK(ends.client->Open(Text(ends.server->Seal(text)))->data.view() == text);
        }
      }
    }
  }
}

TEST_CASE("Sealing is the same whoever does it", "[tls_records]") {
  for (const TlsSuite suite : kBothSuites) {
    TlsKeys keys;
    keys.suite = suite;
    DeriveTlsKeys(TlsMaster(), TlsRole::kClient, &keys);
    TlsRecords libcrypto(keys, RecordLayer::kLibcrypto);
    TlsRecords mbedtls(keys, RecordLayer::kMbedtls);
    CHECK(Text(libcrypto.SealLast("some text")) == Text(mbedtls.SealLast("some text")));
  }
}

TEST_CASE("A record of AES-GCM carries its sequence number, from 1 on", "[tls_records]") {
  Ends ends(TlsSuite::kAes128Gcm);
  CHECK(Text(ends.client->Seal("x")).substr(0, 13) ==
        std::string("\x17\x03\x03\x00\x19\0\0\0\0\0\0\0\x01", 13));
  CHECK(Text(ends.client->Seal("x")).substr(5, 8) == std::string("\0\0\0\0\0\0\0\x02", 8));
}

TEST_CASE("Nothing is sealed from nothing", "[tls_records]") {
  Ends ends(TlsSuite::kAes128Gcm);
  CHECK(ends.client->Seal("")->empty());
  CHECK(ends.server->Open("")->data.empty());
  CHECK(ends.server->Open(Text(ends.client->Seal("x")))->data.view() == "x");
}

TEST_CASE("A bit changed anywhere in a record is seen", "[tls_records]") {
  for (const TlsSuite suite : kBothSuites) {
    for (const RecordLayer layer : kBothLayers) {
      const size_t size = 10 + Overhead(suite);
      for (size_t at = 0; at < size; ++at) {
        Ends ends(suite, layer, layer);
        std::string sealed = Text(ends.client->Seal("0123456789"));
        sealed[at] = static_cast<char>(sealed[at] ^ 1);
        CAPTURE(at);
        const auto opened = ends.server->Open(sealed);
        CHECK(absl::IsDataLoss(opened.status()));
        CHECK(opened.status().message().find("altered on the way: ") == 0);
      }
    }
  }
}

TEST_CASE("A record that is cut, put elsewhere, repeated or left out is seen", "[tls_records]") {
  const auto suite = GENERATE(values({TlsSuite::kAes128Gcm, TlsSuite::kChaCha20Poly1305}));
  Ends ends(suite);
  const std::string a = Text(ends.client->Seal("first"));
  const std::string b = Text(ends.client->Seal("second"));
  const std::string back = Text(ends.server->Seal("first"));
  const auto message = GENERATE_REF(values<std::string>(
      {a.substr(0, 4), a.substr(0, 5), a.substr(0, a.size() - 1), a.substr(1), a + b.substr(0, 7),
       b, b + a, a + a, a + b + b, a + b + a, a + back, back, a + "x", "GET / HTTP/1.1\r\n\r\n"}));
  const absl::Status status = ends.server->Open(message).status();
  CHECK(absl::IsDataLoss(status));
  // It stays so, even for what would open.
  CHECK(ends.server->Open(a).status() == status);
}

TEST_CASE("Records of another connection do not open", "[tls_records]") {
  for (const TlsSuite suite : kBothSuites) {
    Ends ours(suite);
    Ends theirs(suite);
    CHECK(absl::IsDataLoss(ours.server->Open(Text(theirs.client->Seal("x"))).status()));
  }
}

TEST_CASE("Only data and alerts of TLS 1.2 have a place after the handshake", "[tls_records]") {
  const auto [bytes, what] = GENERATE(table<std::string, std::string>({
      {std::string("\x14\x03\x03\x00\x01\x01", 6), "a record of type 20"},
      {std::string("\x16\x03\x03\x00\x04\0\0\0\0", 9), "a record of type 22"},
      {std::string("\x18\x03\x03\x00\x04\0\0\0\0", 9), "a record of type 24"},
      {std::string("\x17\x03\x01\x00\x01\0", 6), "a record of another version"},
      {std::string("\x17\x03\x04\x00\x01\0", 6), "a record of another version"},
      {std::string("\x15\x03\x03\x00\x02\x01\0", 7), "a record of 2 bytes"},
      {std::string("\x17\x03\x03\x40\x19", 5), "a record of 16409 bytes"},
      {std::string("\x17\x03\x03\xff\xff", 5), "a record of 65535 bytes"},
      {std::string("\x17\x03\x03\x00\x18", 5) + std::string(23, 'x'), "a record is cut off"},
      {std::string("\x15\x03\x03\x00\x1b", 5) + std::string(27, 'x'), "an alert of the wrong size"},
  }));
  Ends ends(TlsSuite::kAes128Gcm);
  CHECK(ends.server->Open(bytes).status() == absl::DataLossError("altered on the way: " + what));
}

TEST_CASE("close_notify ends one direction and leaves the other", "[tls_records]") {
  Ends ends(TlsSuite::kChaCha20Poly1305);
  const auto last = ends.server->Open(Text(ends.client->SealLast("the end")));
  REQUIRE(last.ok());
  CHECK(last->data.view() == "the end");
  REQUIRE(last->alert.has_value());
  CHECK(last->alert->is_close_notify());
  CHECK(absl::IsFailedPrecondition(ends.client->Seal("more").status()));
  CHECK(absl::IsFailedPrecondition(ends.client->SealCloseNotify().status()));

  const auto answer = ends.client->Open(Text(ends.server->Seal("the answer")));
  REQUIRE(answer.ok());
  CHECK(answer->data.view() == "the answer");
  CHECK_FALSE(answer->alert.has_value());
  CHECK(ends.client->Open(Text(ends.server->SealCloseNotify()))->alert->is_close_notify());
}

TEST_CASE("Nothing may follow an alert, in its message or later", "[tls_records]") {
  TlsMaster master;
  TlsKeys keys;
  DeriveTlsKeys(master, TlsRole::kClient, &keys);
  TlsRecords first(keys, RecordLayer::kLibcrypto);
  TlsRecords second(keys, RecordLayer::kLibcrypto);
  DeriveTlsKeys(master, TlsRole::kServer, &keys);
  // The record behind the alert is sealed as it should be, by a peer that does not keep the rules.
  const std::string closed = Text(first.SealCloseNotify());
  const std::string skipped = Text(second.Seal("x"));
  const std::string beyond = Text(second.Seal("x"));
  SECTION("in its message") {
    TlsRecords server(keys, RecordLayer::kLibcrypto);
    CHECK(server.Open(closed + beyond).status() ==
          absl::DataLossError("altered on the way: something follows an alert"));
  }
  SECTION("later") {
    TlsRecords server(keys, RecordLayer::kLibcrypto);
    CHECK(server.Open(closed).ok());
    CHECK(absl::IsDataLoss(server.Open(beyond).status()));
  }
}

TEST_CASE("A key seals and opens so many bytes and no more", "[tls_records]") {
  for (const uint64_t most : {60U, 61U}) {
    Ends ends(TlsSuite::kAes128Gcm, RecordLayer::kLibcrypto, RecordLayer::kLibcrypto, most);
    CHECK(ends.server->Open(Text(ends.client->Seal("x")))->data.view() == "x");
    const auto second = ends.client->Seal("xx");
    CHECK(second.ok() == (most == 61));
    CHECK((second.ok() || absl::IsResourceExhausted(second.status())));
    CHECK(absl::IsResourceExhausted(ends.client->SealCloseNotify().status()));
  }
  Ends generous(TlsSuite::kAes128Gcm);
  Ends strict(TlsSuite::kAes128Gcm, RecordLayer::kLibcrypto, RecordLayer::kLibcrypto, 30);
  CHECK(absl::IsResourceExhausted(strict.server->Open(Text(generous.client->Seal("xx"))).status()));
}

TEST_CASE("Alerts have the names of RFC 5246", "[tls_records]") {
  CHECK(AlertName(0) == "close_notify");
  CHECK(AlertName(48) == "unknown_ca");
  CHECK(AlertName(255) == "255");
}

}  // namespace
}  // namespace culvert::crypto
