// What end-to-end TLS costs: handshakes and records, in processor time of one thread.
#include <fmt/format.h>
#include <malloc.h>

#include <cstdlib>
#include <ctime>

#include "tests/support/tls_pair.h"

namespace culvert::crypto {
namespace {

double g_seconds = 1;

double ProcessorSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Seconds of the processor per call.
template <typename Work>
double Measure(const Work& work) {
  work();
  const double begin = ProcessorSeconds();
  int calls = 0;
  double spent = 0;
  while (spent < g_seconds) {
    work();
    ++calls;
    spent = ProcessorSeconds() - begin;
  }
  return spent / calls;
}

void Print(std::string_view what, double seconds) {
  fmt::print("{:<44} {:>10.1f} µs {:>12.0f} /s\n", what, seconds * 1e6, 1 / seconds);
}

// Seconds of the processor that the longest call of a full handshake takes: a worker is busy so
// long.
double LongestCall(const std::shared_ptr<const TlsContext>& client,
                   const std::shared_ptr<const TlsContext>& server, WallTime now) {
  TlsEngine ends[2] = {{client, now}, {server, now}};
  double longest = 0;
  std::string bytes;
  for (size_t turn = 0; turn < 5; ++turn) {
    TlsEngine& end = ends[turn % 2];
    CULVERT_CHECK(end.Feed(bytes).ok());
    const double begin = ProcessorSeconds();
    CULVERT_CHECK(end.Handshake().ok());
    longest = std::max(longest, ProcessorSeconds() - begin);
    bytes = end.TakeOutput();
  }
  return longest;
}

void MeasureHandshakes(const TlsProject& project) {
  const auto client = project.Client();
  const auto server = project.Server();
  std::shared_ptr<const TlsSession> session;
  const auto shake = [&](const std::shared_ptr<const TlsSession>& resumed) {
    TlsPair pair(client, server, project.now, resumed);
    pair.Shake();
    CULVERT_CHECK(pair.ok());
    session = pair.client.TakeSecured().session;
    CULVERT_CHECK(pair.server.TakeSecured().resumed == (resumed != nullptr));
  };
  Print("engine made, server", Measure([&] { const TlsEngine engine(server, project.now); }));
  Print("engine made, client", Measure([&] { const TlsEngine engine(client, project.now); }));
  Print("full handshake, both ends", Measure([&] { shake(nullptr); }));
  Print("its longest call", LongestCall(client, server, project.now));
  Print("resumed handshake, both ends", Measure([&, first = session] { shake(first); }));

  const TlsExpectation expected{"default", {SpiffeId::Role::kUser}, "alice"};
  const Certificate& peer = project.user.certificate;
  Print("peer checked, known",
        Measure([&] { CULVERT_CHECK(server->CheckPeer(peer, expected, project.now).ok()); }));
  Print("peer checked, with its signature", Measure([&] {
          CULVERT_CHECK(CheckTlsPeer(peer, expected, project.authority.certificate(),
                                     Usage::kClient, project.now)
                            .ok());
        }));
}

TlsKeys& KeysOf(TlsRole role, TlsKeys& keys) {
  DeriveTlsKeys(TlsMaster(), role, &keys);
  return keys;
}

// Seconds of the processor per message. Only the opening is timed.
double MeasureOpen(TlsKeys& keys, RecordLayer layer, std::string_view text) {
  TlsRecords sealing(KeysOf(TlsRole::kClient, keys), layer);
  TlsRecords opening(KeysOf(TlsRole::kServer, keys), layer);
  double spent = 0;
  int messages = 0;
  while (spent < g_seconds) {
    std::vector<Bytes> sealed(16);
    for (Bytes& message : sealed) message = *sealing.Seal(text);
    const double begin = ProcessorSeconds();
    for (const Bytes& message : sealed) CULVERT_CHECK(opening.Open(message.view()).ok());
    spent += ProcessorSeconds() - begin;
    messages += 16;
  }
  return spent / messages;
}

size_t BytesHeld(const TlsKeys& keys, RecordLayer layer) {
  constexpr size_t kMany = 1000;
  std::vector<std::unique_ptr<TlsRecords>> many(kMany);
  const size_t before = mallinfo2().uordblks;
  for (auto& one : many) one = std::make_unique<TlsRecords>(keys, layer);
  return (mallinfo2().uordblks - before) / kMany;
}

void MeasureRecords(TlsSuite suite, RecordLayer layer) {
  TlsKeys keys;
  keys.suite = suite;
  const auto name =
      fmt::format("{}, {}", suite == TlsSuite::kAes128Gcm ? "AES-128-GCM" : "ChaCha20-Poly1305",
                  layer == RecordLayer::kLibcrypto ? "libcrypto" : "mbedTLS");
  const std::string text(TlsRecords::kMostPlaintext * 4, 'x');
  TlsRecords sealing(KeysOf(TlsRole::kClient, keys), layer);
  const double seal = Measure([&] { CULVERT_CHECK(sealing.Seal(text).ok()); });
  const double open = MeasureOpen(keys, layer, text);
  const double megabytes = static_cast<double>(text.size()) / 1e6;
  fmt::print("seal {:<39} {:>10.0f} MB/s\n", name, megabytes / seal);
  fmt::print("open {:<39} {:>10.0f} MB/s\n", name, megabytes / open);
  fmt::print("a connection, {:<30} {:>10} bytes\n", name, BytesHeld(keys, layer));
}

}  // namespace
}  // namespace culvert::crypto

int main(int argc, char** argv) {
  using namespace culvert::crypto;
  if (argc > 1) g_seconds = std::atof(argv[1]);
  if (!(g_seconds > 0)) {
    fmt::print(stderr, "usage: {} [SECONDS]\n", argv[0]);
    return 2;
  }
  MeasureHandshakes(TlsProject());
  for (const auto suite : {TlsSuite::kAes128Gcm, TlsSuite::kChaCha20Poly1305}) {
    for (const auto layer : {RecordLayer::kLibcrypto, RecordLayer::kMbedtls})
      MeasureRecords(suite, layer);
  }
  return 0;
}
