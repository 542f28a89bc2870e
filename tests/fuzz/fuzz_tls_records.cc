// TLS records of both suites, opened by both record layers: whole ones, changed, cut, repeated, out
// of order, and anything else. What opens is exactly what was sealed, in its order, from the
// beginning; after the first refusal nothing opens.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "crypto/tls_records.h"

namespace culvert::crypto {
namespace {

// Reads numbers off the input; zeros when it is used up.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool done() const { return at_ >= size_; }
  uint8_t Byte() { return done() ? uint8_t{0} : data_[at_++]; }
  size_t Number() {
    const size_t high = Byte();
    return high << 8 | Byte();
  }
  std::string Text(size_t most) {
    std::string text;
    for (size_t size = Number() % (most + 1); size > 0 && !done(); --size)
      text += static_cast<char>(Byte());
    return text;
  }

 private:
  const uint8_t* data_;
  const size_t size_;
  size_t at_ = 0;
};

struct Ends {
  Ends(TlsSuite suite, RecordLayer client_layer, RecordLayer server_layer) {
    TlsMaster master;
    TlsKeys keys;
    keys.suite = suite;
    DeriveTlsKeys(master, TlsRole::kClient, &keys);
    client = std::make_unique<TlsRecords>(keys, client_layer);
    DeriveTlsKeys(master, TlsRole::kServer, &keys);
    server = std::make_unique<TlsRecords>(keys, server_layer);
  }

  std::unique_ptr<TlsRecords> client;
  std::unique_ptr<TlsRecords> server;
};

// Sealed messages on their way, which whoever is in between may change.
class Run {
 public:
  Run(TlsSuite suite, RecordLayer client, RecordLayer server) : ends_(suite, client, server) {}

  void Step(Input& input) {
    switch (input.Byte() % 8) {
      case 0:
      case 1: {
        const std::string text(input.Number() % 40000, 'x');
        sealed_.emplace_back(ends_.client->Seal(text)->view());
        plain_.push_back(text);
        break;
      }
      case 2: {
        const std::string text = input.Text(64);
        sealed_.emplace_back(ends_.client->Seal(text)->view());
        plain_.push_back(text);
        break;
      }
      case 3:
        Open(input.Text(256), false);
        break;
      case 4:
        OpenChanged(input);
        break;
      default:
        if (delivered_ < sealed_.size()) Open(sealed_[delivered_], true);
    }
  }

 private:
  void OpenChanged(Input& input) {
    if (sealed_.empty()) return;
    std::string message = sealed_[input.Byte() % sealed_.size()];
    if (message.empty()) return;
    const size_t at = input.Number() % message.size();
    if (const uint8_t change = input.Byte(); change == 0) {
      message.resize(at);
    } else {
      message[at] = static_cast<char>(message[at] ^ change);
    }
    Open(message, false);
  }

  // `next`: the message that comes next, unchanged.
  void Open(const std::string& message, bool next) {
    const auto opened = ends_.server->Open(message);
    if (broken_ || !(next || message.empty() || IsNext(message))) {
      CULVERT_CHECK(!opened.ok() || (message.empty() && !broken_));
      broken_ = true;
      return;
    }
    if (message.empty() && !next) return;
    CULVERT_CHECK(opened.ok());
    CULVERT_CHECK(opened->data.view() == plain_[delivered_]);
    ++delivered_;
  }

  // Cut or changed at random it may still be what is due.
  bool IsNext(const std::string& message) const {
    return delivered_ < sealed_.size() && message == sealed_[delivered_];
  }

  Ends ends_;
  std::vector<std::string> sealed_;
  std::vector<std::string> plain_;
  size_t delivered_ = 0;
  bool broken_ = false;
};

}  // namespace
}  // namespace culvert::crypto

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culvert::crypto;
  Input input(data, size);
  const uint8_t how = input.Byte();
  const auto layer = [how](int bit) {
    return (how & bit) != 0 ? RecordLayer::kMbedtls : RecordLayer::kLibcrypto;
  };
  Run run((how & 1) != 0 ? TlsSuite::kChaCha20Poly1305 : TlsSuite::kAes128Gcm, layer(2), layer(4));
  for (int steps = 0; steps < 64 && !input.done(); ++steps) run.Step(input);
  return 0;
}
