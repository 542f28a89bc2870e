#include "crypto/tls_keys.h"

#include <mbedtls/ssl.h>

#include <algorithm>

#include "base/check.h"

namespace culvert::crypto {
namespace {

constexpr size_t kRandomBytes = 32;
constexpr char kExportLabel[] = "EXPERIMENTAL culvert path";

// The pseudo-random function of TLS 1.2 over two randoms, in the order given.
void Prf(const TlsMaster& master, const char* label, const Secret<kRandomBytes>& first,
         const Secret<kRandomBytes>& second, unsigned char* out, size_t size) {
  std::array<unsigned char, 2 * kRandomBytes> randoms{};
  std::copy_n(first.data(), kRandomBytes, randoms.data());
  std::copy_n(second.data(), kRandomBytes, randoms.data() + kRandomBytes);
  CULVERT_CHECK(mbedtls_ssl_tls_prf(MBEDTLS_SSL_TLS_PRF_SHA256, master.secret.data(),
                                    master.secret.size(), label, randoms.data(), randoms.size(),
                                    out, size) == 0);
}

}  // namespace

void DeriveTlsKeys(const TlsMaster& master, TlsRole role, TlsKeys* keys) {
  const bool gcm = keys->suite == TlsSuite::kAes128Gcm;
  const size_t key_bytes = gcm ? 16 : 32;
  const size_t nonce_bytes = gcm ? 4 : kNonceBytes;
  Secret<2 * (32 + kNonceBytes)> block;
  Prf(master, "key expansion", master.server_random, master.client_random, block.data(),
      2 * (key_bytes + nonce_bytes));
  TrafficKey& client = role == TlsRole::kClient ? keys->seal : keys->open;
  TrafficKey& server = role == TlsRole::kClient ? keys->open : keys->seal;
  const unsigned char* at = block.data();
  const auto take = [&at](size_t size, unsigned char* out) {
    std::copy_n(at, size, out);
    at += size;
  };
  take(key_bytes, client.key.data());
  take(key_bytes, server.key.data());
  take(nonce_bytes, client.nonce.data());
  take(nonce_bytes, server.nonce.data());
}

void DeriveExported(const TlsMaster& master, Secret<kExportedBytes>* exported) {
  Prf(master, kExportLabel, master.client_random, master.server_random, exported->data(),
      exported->size());
}

}  // namespace culvert::crypto
