// The handshake of a TLS server and of a client, fed anything: alone, or behind the first flight of
// a real peer. No crash, no more than the limit read, and never a connection: the input has no key
// that our authority knows.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "tests/support/tls_pair.h"

namespace culvert::crypto {
namespace {

struct Setting {
  TlsProject project;
  std::shared_ptr<const TlsContext> server = project.Server();
  std::shared_ptr<const TlsContext> client = project.Client();
  std::shared_ptr<const TlsSession> session = Session();
  std::string hello = Hello();

  std::shared_ptr<const TlsSession> Session() {
    TlsPair pair(client, server, project.now);
    pair.Shake();
    CULVERT_CHECK(pair.ok());
    return pair.client.TakeSecured().session;
  }
  // Of a client that resumes: the server then answers at once, without its slow signature.
  std::string Hello() {
    TlsEngine engine(client, project.now, session);
    CULVERT_CHECK(engine.Handshake().ok());
    return engine.TakeOutput();
  }
};

void Feed(TlsEngine& engine, std::string_view bytes, size_t piece) {
  while (true) {
    const auto progress = engine.Handshake();
    if (!progress.ok()) {
      CULVERT_CHECK(engine.Handshake().status() == progress.status());
      return;
    }
    CULVERT_CHECK(*progress == TlsEngine::Progress::kWantsBytes);
    if (bytes.empty() || !engine.Feed(bytes.substr(0, piece)).ok()) return;
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
}

}  // namespace
}  // namespace culvert::crypto

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culvert::crypto;
  static const Setting* const setting = new Setting;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t piece = data[1] == 0 ? bytes.size() + 1 : data[1];
  if ((data[0] & 1) != 0) {
    const auto session = (data[0] & 2) != 0 ? setting->session : nullptr;
    TlsEngine client(setting->client, setting->project.now, session);
    Feed(client, bytes, piece);
    return 0;
  }
  TlsEngine server(setting->server, setting->project.now);
  if ((data[0] & 2) != 0) CULVERT_CHECK(server.Feed(setting->hello).ok());
  Feed(server, bytes, piece);
  return 0;
}
